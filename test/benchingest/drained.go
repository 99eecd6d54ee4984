package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"hooktape/internal/spool"
	"hooktape/test/harness"
)

// drained measures how fast a backlog goes into ClickHouse without other load, how fast a program is that only inserts
// the same rows, and what an event takes on ClickHouse's disk.
func drained(ctx context.Context, b *bench) error {
	h, err := b.fill(ctx, b.backlog)
	if err != nil {
		return err
	}
	engine, dsn, err := b.harness.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	took, err := b.drain(ctx, h, dsn)
	defer h.Kill()
	if err != nil {
		return err
	}
	rate := float64(b.backlog) / took.Seconds()
	b.say("d: drained %d events in %v: %.0f/s", b.backlog, took.Round(time.Millisecond), rate)
	cpu, err := h.CPU()
	if err != nil {
		return err
	}
	peak, err := h.PeakRSS()
	if err != nil {
		return err
	}
	h.Kill()
	if err := quiet(ctx, dsn); err != nil {
		return err
	}
	plain, err := plainInsert(ctx, dsn, engine.DSN("plain"), b.backlog)
	if err != nil {
		return err
	}
	b.say("d: plain insert of the same rows: %.0f/s", plain)
	if err := b.weigh(ctx, dsn); err != nil {
		return err
	}
	b.note("(d) drained, per second", rate, "%.0f", atLeast(20_000))
	b.note("(d) hooktape's CPU s for 1,000 events", cpu.Seconds()*1000/float64(b.backlog), "%.3f", nothing)
	b.note("(d) hooktape's peak RSS, MiB", float64(peak)/(1<<20), "%.0f", nothing)
	b.note("(d) plain insert, per second", plain, "%.0f", nothing)
	b.note("(d)/plain", rate/plain, "%.2f", atLeast(0.7))
	return nil
}

// plainInsert copies the events of one database to another without other work: from memory, with clickhouse-go's
// batches of the same size as hooktape's. It returns the number of rows a second.
func plainInsert(ctx context.Context, from, to string, events uint64) (float64, error) {
	if err := harness.Migrate(ctx, to); err != nil {
		return 0, err
	}
	columns, rows, err := readRows(ctx, from)
	if err != nil {
		return 0, err
	}
	if uint64(len(rows)) != events {
		return 0, fmt.Errorf("%d rows of %d events", len(rows), events)
	}
	conn, err := harness.Connect(to)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	begun := time.Now()
	insert := "INSERT INTO events (" + strings.Join(columns, ", ") + ")"
	for size := spool.DefaultLimits().Records; len(rows) > 0; rows = rows[min(size, len(rows)):] {
		batch, err := conn.PrepareBatch(ctx, insert)
		if err != nil {
			return 0, err
		}
		for _, row := range rows[:min(size, len(rows))] {
			if err := batch.Append(row...); err != nil {
				return 0, err
			}
		}
		if err := batch.Send(); err != nil {
			return 0, err
		}
	}
	return float64(events) / time.Since(begun).Seconds(), nil
}

// readRows reads all events, each column as the type that clickhouse-go prefers.
func readRows(ctx context.Context, dsn string) (columns []string, all [][]any, err error) {
	conn, err := harness.Connect(dsn)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, "SELECT * EXCEPT stored_at FROM events ORDER BY received_at, id")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types := rows.ColumnTypes()
	for rows.Next() {
		row := make([]any, len(types))
		for i, t := range types {
			row[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(row...); err != nil {
			return nil, nil, err
		}
		for i := range row {
			row[i] = reflect.ValueOf(row[i]).Elem().Interface()
		}
		all = append(all, row)
	}
	return rows.Columns(), all, rows.Err()
}

// weigh merges the events to their final form and counts the bytes of all columns.
func (b *bench) weigh(ctx context.Context, dsn string) error {
	conn, err := harness.Connect(dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "OPTIMIZE TABLE events FINAL"); err != nil {
		return err
	}
	var rows, bytes uint64
	err = conn.QueryRow(ctx, `SELECT sum(rows), sum(bytes_on_disk) FROM system.parts
		WHERE database = currentDatabase() AND table = 'events' AND active`).Scan(&rows, &bytes)
	if err != nil {
		return err
	}
	if rows != b.backlog {
		return fmt.Errorf("%d rows of %d events", rows, b.backlog)
	}
	columns, err := conn.Query(ctx, `SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns
		WHERE database = currentDatabase() AND table = 'events' AND active GROUP BY column ORDER BY bytes DESC`)
	if err != nil {
		return err
	}
	defer columns.Close()
	rest := float64(bytes) / float64(rows)
	for columns.Next() {
		var name string
		var size uint64
		if err := columns.Scan(&name, &size); err != nil {
			return err
		}
		each := float64(size) / float64(rows)
		rest -= each
		b.columns = append(b.columns, weight{name, each})
	}
	b.columns = append(b.columns, weight{"indexes, marks and the rest", rest})
	b.note("bytes an event on ClickHouse's disk", float64(bytes)/float64(rows), "%.1f", atMost(300))
	return columns.Err()
}

// weight is the size of a column in bytes per event.
type weight struct {
	column string
	bytes  float64
}

// quiet waits until ClickHouse has no merges.
func quiet(ctx context.Context, dsn string) error {
	conn, err := harness.Connect(dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	return harness.Until(ctx, 2*time.Minute, "ClickHouse's merges", func() bool {
		merges := uint64(1)
		err := conn.QueryRow(ctx, "SELECT count() FROM system.merges").Scan(&merges)
		return err == nil && merges == 0
	})
}
