package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// sums is a query whose result differs between two sets of events; it can use a projection.
const sums = `SELECT toString(tuple(count(), sum(sipHash64(source, subscriber_key, received_at, verdict, kind, step, channel, utm_source, utm_medium, utm_campaign,
	utm_content, utm_term, contact, conversations_count, duplicate_of)))) FROM events WHERE source = 'demo'`

// begun is such a query for the time when each subscriber was first seen.
const begun = `SELECT toString(tuple(count(), sum(sipHash64(subscriber_key, first)))) FROM
	(SELECT subscriber_key, min(received_at) AS first FROM events WHERE source = 'demo' AND verdict = 'accepted' GROUP BY subscriber_key)`

// sum runs a query with a projection, or on the table itself if projection is empty.
func sum(t *testing.T, conn driver.Conn, query, projection string) (text string) {
	t.Helper()
	settings := clickhouse.Settings{"optimize_use_projections": 0}
	if projection != "" {
		settings = clickhouse.Settings{"force_optimize_projection": 1, "force_optimize_projection_name": projection}
	}
	if err := conn.QueryRow(clickhouse.Context(context.Background(), clickhouse.WithSettings(settings)),
		query).Scan(&text); err != nil {
		t.Fatalf("with the projection %q: %v", projection, err)
	}
	return text
}

// TestProjections verifies that projections have the same content as the table after inserts, repeated inserts and a
// rebuild.
func TestProjections(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	for batch := range 3 {
		var events []event.Event
		for i := range 50 {
			e := eventAt(time.Now().Add(-time.Hour).Truncate(time.Microsecond), batch*50+i)
			e.BothelpUserID = fmt.Sprint(i % 7)
			e.Email = strings.Repeat("a@b.example", i%2)
			events = append(events, e)
		}
		for range 2 {
			if err := d.InsertEvents(background, fmt.Sprint("token ", batch), events); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct{ projection, query, rows string }{{"visits", sums, "(150,"},
		{"newcomers", begun, "(7,"}} {
		want := sum(t, d.conn, c.query, "")
		if !strings.HasPrefix(want, c.rows) {
			t.Fatalf("the table has %s", want)
		}
		if got := sum(t, d.conn, c.query, c.projection); got != want {
			t.Errorf("%s has %s, the table %s", c.projection, got, want)
		}
		if err := d.Rebuild(background, c.projection); err != nil {
			t.Fatal(err)
		}
		if got := sum(t, d.conn, c.query, c.projection); got != want {
			t.Errorf("%s rebuilt: %s, the table %s", c.projection, got, want)
		}
	}
	if err := d.Rebuild(background, "events; DROP TABLE events"); err == nil ||
		!strings.Contains(err.Error(), "want visits, newcomers") {
		t.Errorf("unknown projection: %v", err)
	}
}
