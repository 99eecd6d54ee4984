package main

import (
	"context"
	"fmt"
	"time"

	"hooktape/test/harness"
)

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
