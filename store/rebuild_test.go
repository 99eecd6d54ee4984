package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/event"
)

// sums is an answer that tells one set of events from another; with the projection and without.
const sums = `SELECT toString(tuple(count(), sum(sipHash64(source, bothelp_user_id, received_at, verdict, kind, step, channel, utm_source, utm_medium, utm_campaign,
	utm_content, utm_term, contact, conversations_count, duplicate_of)))) FROM events WHERE source = 'demo'`

func sum(t *testing.T, conn driver.Conn, projection int) (text string) {
	t.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"optimize_use_projections": projection, "force_optimize_projection": projection}))
	if err := conn.QueryRow(ctx, sums).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestProjection: what the dashboards read beside the table is the table's, whether it was filled by inserts, by the same
// inserts once more, or anew.
func TestProjection(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	for batch := range 3 {
		var events []event.Event
		for i := range 50 {
			e := eventAt(time.Now().Add(-time.Hour).Truncate(time.Microsecond), batch*50+i)
			e.BothelpUserID, e.Email = fmt.Sprint(i%7), strings.Repeat("a@b.example", i%2)
			events = append(events, e)
		}
		for range 2 {
			if err := d.InsertEvents(background, fmt.Sprint("token ", batch), events); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := sum(t, d.conn, 0)
	if !strings.HasPrefix(want, "(150,") {
		t.Fatalf("the table has %s", want)
	}
	if got := sum(t, d.conn, 1); got != want {
		t.Errorf("the projection has %s, the table %s", got, want)
	}
	if err := d.Rebuild(background, "touches"); err != nil {
		t.Fatal(err)
	}
	if got := sum(t, d.conn, 1); got != want {
		t.Errorf("rebuilt: %s, the table %s", got, want)
	}
	if err := d.Rebuild(background, "events; DROP TABLE events"); err == nil || !strings.Contains(err.Error(), "there is: touches") {
		t.Errorf("of an unknown one: %v", err)
	}
}
