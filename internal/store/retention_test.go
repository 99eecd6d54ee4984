package store_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
)

// daysAgo returns an event of a source that arrived this many days ago.
func daysAgo(days, n int, source string, verdict event.Verdict) event.Event {
	e := eventAt(time.Now().UTC().Truncate(time.Microsecond).AddDate(0, 0, -days).Add(-time.Hour), n)
	e.Source, e.Verdict, e.BothelpUserID = source, verdict, fmt.Sprint(n%3)
	e.BodySHA256 = sha256.Sum256(e.Body)
	return e
}

// aged returns events of three sources, some of them rejected, 1 to 100 days old. An event's number is its age.
func aged() (events []event.Event) {
	for _, days := range []int{1, 15, 35, 65, 100} {
		for i, source := range []string{"demo", "chat", "shop"} {
			events = append(events, daysAgo(days, days+1000*i, source, event.Accepted))
		}
		rejected := daysAgo(days, days+3000, "demo", event.BadToken)
		rejected.BodyText = "gone with the body"
		events = append(events, rejected)
	}
	return events
}

func (d db) apply(t *testing.T, r store.Retention) []store.RetentionChange {
	t.Helper()
	changes, err := d.ApplyRetention(background, r)
	if err != nil {
		t.Fatal(err)
	}
	d.merge(t)
	return changes
}

// settle waits until the expiry times are computed.
func (d db) settle(t *testing.T) {
	t.Helper()
	testutil.Eventually(t, func() error {
		if n := d.text(t,
			"SELECT toString(count()) FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"); n != "0" {
			return fmt.Errorf("%s mutations are not done", n)
		}
		return nil
	})
}

// merge runs the merges of the engine's background threads.
func (d db) merge(t *testing.T) {
	t.Helper()
	d.settle(t)
	d.exec(t, "OPTIMIZE TABLE "+d.localTable("events")+" FINAL")
}

// left returns the ages in days of a source's stored events, and of those that still have a body.
func (d db) left(t *testing.T, source string, verdict event.Verdict) (rows, bodies []int) {
	t.Helper()
	found := d.list(t, event.Selection{Sources: []string{source}, Verdicts: []event.Verdict{verdict}})
	whole, err := d.Events(background, idsOf(found))
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range numbers(whole) {
		rows = append(rows, n%1000)
		switch e := whole[i]; {
		case !e.BodyGone():
			bodies = append(bodies, n%1000)
			sameBytes(t, e.ID.String(), e.Body, fmt.Append(nil, n))
		case e.BodySHA256 != sha256.Sum256(fmt.Append(nil, n)):
			t.Errorf("the hash of %s was removed with its body", e.ID)
		}
	}
	slices.Sort(rows)
	slices.Sort(bodies)
	return rows, bodies
}

var someRetention = store.Retention{Events: 90, Bodies: 50, Rejected: 20, Attempts: 30, Traces: 7,
	Sources: map[string]store.SourceRetention{"demo": {Events: store.Forever, Bodies: 10}, "chat": {Events: 40},
		"o'clock": {Events: 5}}}

// TestRetention verifies that expired rows and no others are removed, by source, also from projections.
func TestRetention(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.insert(t, aged()...)
	if changes := d.apply(t, someRetention); len(changes) != 6 ||
		changes[0] != (store.RetentionChange{What: "events", Before: "for ever",
			After: "90d, chat 40d, demo for ever, o'clock 5d, rejected 20d"}) {
		t.Errorf("changes %+v", changes)
	}
	for _, c := range []struct {
		source       string
		verdict      event.Verdict
		rows, bodies []int
	}{
		{"demo", event.Accepted, []int{1, 15, 35, 65, 100}, []int{1}},
		{"chat", event.Accepted, []int{1, 15, 35}, []int{1, 15, 35}},
		{"shop", event.Accepted, []int{1, 15, 35, 65}, []int{1, 15, 35}},
		{"demo", event.BadToken, []int{1, 15}, []int{1}},
	} {
		if rows, bodies := d.left(t, c.source, c.verdict); !slices.Equal(rows, c.rows) ||
			!slices.Equal(bodies, c.bodies) {
			t.Errorf("%s, %s: events of the days %v left, %v with bodies; want %v and %v", c.source, c.verdict, rows,
				bodies, c.rows, c.bodies)
		}
	}
	if got := d.text(t,
		"SELECT toString(arraySort(groupUniqArray((body = '', body_text, search_body = concat(path, '\\x1F', "+
			"body_text))))) FROM events WHERE verdict != 'accepted'"); got != "[(0,'gone with the body',1),(1,'',1)]" {
		t.Errorf("search finds an event without and one with a body: %s", got)
	}
	for projection, query := range map[string]string{"visits": sums, "newcomers": begun} {
		if d.cluster { // see singleAlone, TestProjections
			break
		}
		if has, want := sum(t, d.conn, query, projection), sum(t, d.conn, query, ""); has != want {
			t.Errorf("%s has %s, the table %s", projection, has, want)
		}
	}
	if changes := d.apply(t, someRetention); len(changes) != 0 {
		t.Errorf("applying the same retention again changes %+v", changes)
	}
}

// TestRetentionChanges verifies that a longer retention, and no retention, keep rows that a shorter one would have
// removed.
func TestRetentionChanges(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	// Merges under the old retention would have removed all rows.
	d.exec(t, "SYSTEM STOP TTL MERGES "+d.localTable("events"))
	d.insert(t, aged()...)
	for _, r := range []store.Retention{{Events: 10, Bodies: 5}, {Events: 70, Bodies: 20}} {
		if _, err := d.ApplyRetention(background, r); err != nil {
			t.Fatal(err)
		}
	}
	d.settle(t) // expired rows may be removed until the new times are computed
	d.exec(t, "SYSTEM START TTL MERGES "+d.localTable("events"))
	d.merge(t)
	if rows, bodies := d.left(t, "demo", event.Accepted); !slices.Equal(rows, []int{1, 15, 35, 65}) ||
		!slices.Equal(bodies, []int{1, 15}) {
		t.Errorf("after a longer retention: %v, bodies %v", rows, bodies)
	}
	changes := d.apply(t, store.Retention{})
	if len(changes) != 3 ||
		changes[1] != (store.RetentionChange{What: "events.body", Before: "20d", After: "for ever"}) {
		t.Errorf("removed: %+v", changes)
	}
	d.insert(t, daysAgo(500, 500, "demo", event.Accepted))
	d.merge(t)
	if rows, bodies := d.left(t, "demo", event.Accepted); !slices.Equal(rows, []int{1, 15, 35, 65, 500}) ||
		!slices.Equal(bodies, []int{1, 15, 500}) {
		t.Errorf("without a retention: %v, bodies %v", rows, bodies)
	}
}

// TestRetentionInBackground verifies that ClickHouse removes expired rows in the background.
func TestRetentionInBackground(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.insert(t, aged()...)
	if _, err := d.ApplyRetention(background, store.Retention{Events: 90}); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, func() error {
		if rows, _ := d.left(t, "demo", event.Accepted); !slices.Equal(rows, []int{1, 15, 35, 65}) {
			return fmt.Errorf("expired rows left: %v", rows)
		}
		return nil
	})
}

// TestDefaultRetention verifies that by default rejected events expire after 30 days and everything else stays, and
// that "forever" overrides the default.
func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.insert(t, aged()...)
	if changes := d.apply(t, store.DefaultRetention); len(changes) != 1 ||
		changes[0] != (store.RetentionChange{What: "events", Before: "for ever",
			After: "for ever, rejected 30d"}) {
		t.Errorf("changes %+v", changes)
	}
	d.merge(t)
	for _, verdict := range []event.Verdict{event.Accepted, event.BadToken} {
		want := map[event.Verdict][]int{event.Accepted: {1, 15, 35, 65, 100}, event.BadToken: {1, 15}}[verdict]
		if rows, bodies := d.left(t, "demo", verdict); !slices.Equal(rows, want) || !slices.Equal(bodies, want) {
			t.Errorf("%s: events of the days %v left, %v with bodies; want %v", verdict, rows, bodies, want)
		}
	}
	if changes := d.apply(t, store.Retention{Rejected: store.Forever}); len(changes) != 1 ||
		changes[0].After != "for ever" {
		t.Errorf("forever: changes %+v", changes)
	}
}

// TestForeignTTL verifies that a TTL of another program stays if no retention is configured, and is otherwise replaced
// and reported.
func TestForeignTTL(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.exec(t, "ALTER TABLE "+d.localTable("otel_traces")+" MODIFY TTL toDateTime(Timestamp) + toIntervalWeek(2)")
	if changes := d.apply(t, store.Retention{}); len(changes) != 0 {
		t.Errorf("changes %+v", changes)
	}
	d.exec(t, "ALTER TABLE "+d.localTable("events")+" MODIFY TTL received_at + toIntervalWeek(2)")
	if changes := d.apply(t, store.DefaultRetention); len(changes) != 0 {
		t.Errorf("the default retention changes %+v", changes)
	}
	changes := d.apply(t, store.Retention{Traces: 7})
	if len(changes) != 2 ||
		changes[0] != (store.RetentionChange{What: "otel_traces", Before: "toDateTime(Timestamp) + toIntervalWeek(2)",
			After: "7d"}) {
		t.Errorf("changes %+v", changes)
	}
}

// TestRetentionReport verifies that the report has the configured and the current retention, and the number of rows
// that would be removed.
func TestRetentionReport(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.exec(t, "SYSTEM STOP TTL MERGES "+d.localTable("events"))
	d.insert(t, aged()...)
	find := func(what, source string, refused bool) (found store.RetentionStatus) {
		t.Helper()
		report, err := d.RetentionReport(background, someRetention)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range report {
			if k.What == what && k.Source == source && k.NotAccepted == refused {
				found = k
				found.Oldest = time.Time{}
			}
		}
		return found
	}
	if k := find("events", "chat", false); k != (store.RetentionStatus{What: "events", Source: "chat",
		Configured: "40d", InForce: "for ever", Rows: 5, ExpiredAsConfigured: 2}) {
		t.Errorf("before: %+v", k)
	}
	if _, err := d.ApplyRetention(background, someRetention); err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.RetentionStatus{
		{What: "events", Source: "chat", Configured: "40d", InForce: "40d", Rows: 5, Expired: 2},
		{What: "events", Source: "demo", Configured: "for ever", InForce: "for ever", Rows: 5},
		{What: "events", NotAccepted: true, Configured: "20d", InForce: "20d", Rows: 5, Expired: 3},
		{What: "events.body", Source: "demo", Configured: "10d", InForce: "10d", Rows: 10, Expired: 8},
		{What: "events.body", Source: "shop", Configured: "50d", InForce: "50d", Rows: 5, Expired: 2},
		{What: "attempts", Configured: "30d", InForce: "30d"},
		{What: "otel_traces", Configured: "7d", InForce: "7d"},
		{What: "deliveries", Configured: "30d", InForce: "30d"},
	} {
		want.ExpiredAsConfigured = want.Expired
		if got := find(want.What, want.Source, want.NotAccepted); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}
