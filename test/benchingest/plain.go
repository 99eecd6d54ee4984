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

// plainInsert inserts the events of one database into another as a program would that has nothing else to do: rows that lie
// ready in memory, with clickhouse-go's batches, as many rows each as hooktape's. It returns the rows a second.
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
	begun, insert := time.Now(), "INSERT INTO events ("+strings.Join(columns, ", ")+")"
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

// readRows reads all events, each column as the type that clickhouse-go likes best.
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
