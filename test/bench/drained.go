package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"hooktape/internal/simulate"
	"hooktape/internal/spool"
	"hooktape/test/harness"
	"hooktape/test/load"
)

// drained measures how fast a backlog goes into ClickHouse without other load, how fast a program is that only inserts
// the same rows, and what an event takes on ClickHouse's disk.
func (b *webhooks) drained(ctx context.Context) error {
	h, err := b.fill(ctx)
	if err != nil {
		return err
	}
	defer h.Kill()
	engine, dsn, err := b.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	h.Point(dsn)
	begun := time.Now()
	if err := h.Start(ctx); err != nil {
		return err
	}
	if err := b.empty(ctx, h); err != nil {
		return err
	}
	took := time.Since(begun)
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
	db := harness.Database(dsn)
	if err := harness.Until(ctx, 2*time.Minute, "ClickHouse's merges", func() bool {
		merges, err := db.Number(ctx, "SELECT count() FROM system.merges")
		return err == nil && merges == 0
	}); err != nil {
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
	b.atLeast(20_000, "(d) drained, per second", "%.0f", rate)
	b.note("(d) hooktape's CPU s for 1,000 events", "%.3f", cpu.Seconds()*1000/float64(b.backlog))
	b.note("(d) hooktape's peak RSS, MiB", "%.0f", float64(peak)/(1<<20))
	b.note("(d) plain insert, per second", "%.0f", plain)
	b.atLeast(0.7, "(d)/plain", "%.2f", rate/plain)
	return nil
}

// fill fills the spool of a hooktape without ClickHouse, and stops it.
func (b *webhooks) fill(ctx context.Context) (*harness.Hooktape, error) {
	h, err := b.NewHooktape(ctx, harness.NoClickHouse, "")
	if err != nil {
		return nil, err
	}
	ledger := load.Start(ctx, load.Options{Addr: h.Addr, Source: harness.Source, Token: harness.Token,
		Bodies: simulate.NewWebhooks(seed), First: b.next, Requests: b.backlog, Connections: most}).Wait()
	b.next = ledger.Next
	if len(ledger.Acks) != int(b.backlog) {
		return nil, fmt.Errorf("%d of %d requests were acknowledged", len(ledger.Acks), b.backlog)
	}
	b.say("%d events lie in the spool", b.backlog)
	return h, h.Stop(time.Minute)
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

// weight is the size of a column in bytes per event.
type weight struct {
	column string
	bytes  float64
}

// weigh merges the events to their final form and counts the bytes of all columns.
func (b *webhooks) weigh(ctx context.Context, dsn string) error {
	db := harness.Database(dsn)
	if _, err := db.Text(ctx, "OPTIMIZE TABLE events FINAL"); err != nil {
		return err
	}
	const of = " WHERE database = currentDatabase() AND table = 'events' AND active"
	all, err := db.Number(ctx, "SELECT sum(bytes_on_disk) FROM system.parts"+of)
	if err != nil {
		return err
	}
	lines, err := db.Lines(ctx, "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns"+of+
		" GROUP BY column ORDER BY bytes DESC")
	if err != nil {
		return err
	}
	each := float64(all) / float64(b.backlog)
	rest := each
	for _, line := range lines {
		w := weight{}
		if _, err := fmt.Sscan(line, &w.column, &w.bytes); err != nil {
			return err
		}
		w.bytes /= float64(b.backlog)
		rest -= w.bytes
		b.columns = append(b.columns, w)
	}
	b.columns = append(b.columns, weight{"indexes, marks and the rest", rest})
	b.atMost(300, "bytes an event on ClickHouse's disk", "%.1f", each)
	return nil
}
