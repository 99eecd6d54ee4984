package enginetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/testutil/enginetest"
)

// BenchmarkRows inserts and selects 100,000 rows of the size of an event.
func BenchmarkRows(b *testing.B) {
	const count = 100_000
	conn := enginetest.Connect(b, enginetest.DSN(b))
	ctx := context.Background()
	if err := conn.Exec(ctx, "CREATE TABLE e (id UUID, at DateTime64(6, 'UTC'), source LowCardinality(String),"+
		" utm Map(LowCardinality(String), String), body String, fields JSON) ENGINE = MergeTree ORDER BY at"); err != nil {
		b.Fatal(err)
	}
	b.Run("insert", func(b *testing.B) {
		for b.Loop() {
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO e")
			if err != nil {
				b.Fatal(err)
			}
			for n := range count {
				if err := batch.Append(uuid.New(), time.Now(), "demo", map[string]string{"utm_source": "x"},
					fmt.Sprintf(`{"n":%d,"text":"some text of a body"}`, n), `{"city":"Riga","n":5}`); err != nil {
					b.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(count*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("select", func(b *testing.B) {
		for b.Loop() {
			rows, err := conn.Query(ctx, "SELECT id, at, source, utm, body FROM e LIMIT ?", count)
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next() {
				var id uuid.UUID
				var at time.Time
				var source, body string
				var utm map[string]string
				if err := rows.Scan(&id, &at, &source, &utm, &body); err != nil {
					b.Fatal(err)
				}
			}
			if err := rows.Err(); err != nil {
				b.Fatal(err)
			}
			rows.Close()
		}
		b.ReportMetric(count*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("select one", func(b *testing.B) {
		for b.Loop() {
			if err := conn.Exec(ctx, "SELECT 1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
