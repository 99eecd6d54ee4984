package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/testutil"
)

func TestEmptyResult(t *testing.T) {
	conn := open(t)
	rows, err := conn.Query(context.Background(), "SELECT number FROM numbers(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() || rows.Err() != nil {
		t.Errorf("got a row or error %v, want neither", rows.Err())
	}
	var n uint64
	if err := conn.QueryRow(context.Background(), "SELECT number FROM numbers(0)").Scan(&n); err == nil {
		t.Error("Scan without a row returned no error")
	}
}

func TestManyBlocks(t *testing.T) {
	conn := open(t)
	rows, err := conn.Query(context.Background(),
		"SELECT number, toString(number) FROM numbers(100000) WHERE number % 2 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var want uint64
	for ; rows.Next(); want += 2 {
		var number uint64
		var text string
		if err := rows.Scan(&number, &text); err != nil {
			t.Fatal(err)
		}
		if number != want || text != fmt.Sprint(want) {
			t.Fatalf("got row %d %q, want %d", number, text, want)
		}
	}
	if rows.Err() != nil || want != 100000 {
		t.Errorf("rows ended before %d with error %v", want, rows.Err())
	}
}

func TestErrors(t *testing.T) {
	conn := open(t)
	mustExec(t, conn, "CREATE TABLE strict (n Int64, CONSTRAINT positive CHECK n > 0) ENGINE = MergeTree ORDER BY n")
	for _, c := range []struct {
		name, statement string
		settings        clickhouse.Settings
		code            int32
	}{
		{"syntax", "SELECT FROM WHERE", nil, 62},
		{"unknown table", "SELECT * FROM nothing", nil, 60},
		{"unknown column", "SELECT nothing FROM strict", nil, 47},
		{"unknown database", "SELECT * FROM nowhere.nothing", nil, 81},
		{"unknown setting", "SELECT 1", clickhouse.Settings{"no_such_setting": 1}, 115},
		{"unknown setting in the text", "SELECT 1 SETTINGS no_such_setting = 1", nil, 115},
		{"constraint violated", "INSERT INTO strict VALUES (-1)", nil, 469},
		{"table exists", "CREATE TABLE strict (n Int64) ENGINE = MergeTree ORDER BY n", nil, 57},
		{"timeout", "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)",
			clickhouse.Settings{"max_execution_time": 1}, 159},
		{"parameter missing", "SELECT {x:UInt8}", nil, 456},
		{"several statements", "SELECT 1; SELECT 2", nil, 62},
		{"read only", "CREATE TABLE other (n Int64) ENGINE = Memory", clickhouse.Settings{"readonly": 1}, 164},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(c.settings))
			wantCode(t, conn.Exec(ctx, c.statement), c.code)
		})
	}
}

// TestErrorInTheMiddle verifies the error of a query that fails after some blocks were sent.
func TestErrorInTheMiddle(t *testing.T) {
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4,
		clickhouse.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) {
			conn := open(t, func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method} })
			rows, err := conn.Query(context.Background(),
				"SELECT throwIf(number = 900000, 'late') FROM numbers(1000000)")
			if err == nil {
				defer rows.Close()
				for rows.Next() {
				}
				err = rows.Err()
			}
			wantCode(t, err, 395)
		})
	}
}

func TestSettingsDoNotLeak(t *testing.T) {
	conn := open(t)
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 123}))
	const query = "SELECT toUInt64(getSetting('max_block_size'))"
	var n uint64
	if err := conn.QueryRow(ctx, query).Scan(&n); err != nil || n != 123 {
		t.Fatalf("got %d, %v; want the setting of this query, 123", n, err)
	}
	mustExec(t, conn, "SET max_block_size = 124")
	if got := one[uint64](t, conn, query); got == 123 || got == 124 {
		t.Errorf("the next query inherited max_block_size %d", got)
	}
}

func TestParameters(t *testing.T) {
	conn := open(t)
	ctx := clickhouse.Context(context.Background(), clickhouse.WithParameters(clickhouse.Parameters{
		"text": "it's", "n": "7", "at": "2026-03-01 04:05:06.789123", "table": "numbers",
	}))
	var text string
	var n uint64
	var at time.Time
	err := conn.QueryRow(ctx,
		"SELECT {text:String}, {n:UInt64}, {at:DateTime64(6, 'UTC')} FROM system.{table:Identifier}"+
			" LIMIT 1").Scan(&text, &n, &at)
	if err != nil {
		t.Fatal(err)
	}
	if text != "it's" || n != 7 || !at.Equal(time.Date(2026, 3, 1, 4, 5, 6, 789123e3, time.UTC)) {
		t.Errorf("got %q, %d, %s", text, n, at)
	}
	raw := "tab\t, newline\n, backslash \\, nul \x00, quote ', “‘"
	if got := one[string](t, conn, "SELECT {raw:String}", clickhouse.Named("raw", raw)); got != raw {
		t.Errorf("got %q, want %q", got, raw)
	}
	if got := one[uint16](t, conn, "SELECT ? + ?", 1, 2); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
	mustExec(t, conn, "CREATE TABLE p (s String) ENGINE = Memory")
	mustExec(t, conn, "INSERT INTO p VALUES ({raw:String}), (concat('a', {raw:String}))", clickhouse.Named("raw", raw))
	if got := one[string](t, conn, "SELECT max(s) FROM p"); got != raw {
		t.Errorf("got %q inserted, want %q", got, raw)
	}
}

func TestStructs(t *testing.T) {
	conn := open(t)
	var rows []struct {
		Number uint64 `ch:"number"`
		Text   string `ch:"text"`
	}
	if err := conn.Select(context.Background(), &rows,
		"SELECT number, toString(number) AS text FROM numbers(3)"); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[2].Number != 2 || rows[2].Text != "2" {
		t.Errorf("got %v", rows)
	}
}

// TestCancel verifies that a cancelled query ends on the server, not only for the client.
func TestCancel(t *testing.T) {
	conn := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	const mark = "/* to be cancelled */"
	err := conn.Exec(ctx, "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) "+mark+
		" SETTINGS cancel_http_readonly_queries_on_client_close = 1")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want that of the context", err)
	}
	testutil.Eventually(t, func() error {
		if one[uint64](t, conn, "SELECT count() FROM system.processes WHERE query LIKE '%to be "+
			"cancelled%' AND query NOT LIKE '%processes%'") > 0 {
			return errors.New("the query still runs")
		}
		return nil
	})
}

func TestConcurrent(t *testing.T) {
	conn := open(t, func(o *clickhouse.Options) { o.MaxOpenConns, o.MaxIdleConns = 16, 16 })
	mustExec(t, conn, "CREATE TABLE c (worker UInt64, n UInt64) ENGINE = MergeTree ORDER BY (worker, n)")
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		wg.Go(func() {
			for n := range uint64(5) {
				ctx := clickhouse.Context(context.Background(),
					clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 1000 + worker}))
				if err := conn.Exec(ctx, "INSERT INTO c VALUES (?, ?)", worker, n); err != nil {
					t.Errorf("insert: %v", err)
				}
				var count, setting uint64
				if err := conn.QueryRow(ctx,
					"SELECT count(), toUInt64(getSetting('max_block_size')) FROM c WHERE worker = ?", worker).
					Scan(&count, &setting); err != nil || count != n+1 || setting != 1000+worker {
					t.Errorf("worker %d got count %d, setting %d, %v", worker, count, setting, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCompressions(t *testing.T) {
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4,
		clickhouse.CompressionZSTD, clickhouse.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) {
			conn := open(t, func(o *clickhouse.Options) {
				o.Compression = &clickhouse.Compression{Method: method, Level: 3}
			})
			mustExec(t, conn, "CREATE TABLE z (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
			batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO z")
			if err != nil {
				t.Fatal(err)
			}
			const rows = 20000
			for n := range uint64(rows) {
				if err := batch.Append(n, fmt.Sprint("some text ", n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			var got []struct {
				N uint64 `ch:"n"`
				S string `ch:"s"`
			}
			if err := conn.Select(context.Background(), &got, "SELECT n, s FROM z ORDER BY n"); err != nil {
				t.Fatal(err)
			}
			if len(got) != rows || got[rows-1].S != "some text 19999" {
				t.Errorf("got %d rows", len(got))
			}
			wantCode(t, conn.QueryRow(context.Background(), "SELECT * FROM nothing").Err(), 60)
		})
	}
}
