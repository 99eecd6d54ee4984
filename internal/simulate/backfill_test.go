package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// newDB returns a new database with all tables, and another connection to it.
func newDB(t testing.TB) (*store.Store, driver.Conn) {
	t.Helper()
	dsn := storetest.DSN(t)
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, enginetest.Connect(t, dsn)
}

func number(t *testing.T, conn driver.Conn, query string) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// TestBackfill compares the truth with SQL on a real engine.
func TestBackfill(t *testing.T) {
	db, conn := newDB(t)
	a := account(t, func(o *simulate.Options) { o.Subscribers = 600 })
	var last simulate.Progress
	for range 2 { // the second backfill adds nothing
		if err := a.Backfill(t.Context(), db.InsertEvents, func(p simulate.Progress) { last = p }); err != nil {
			t.Fatal(err)
		}
	}
	const window = 3 * 24 * time.Hour
	from, to := until.Add(-19*24*time.Hour), until.Add(-30*time.Hour)
	r := a.Truth().Between(simulate.Question{From: from, To: to, Within: window})
	all := whole(a, window)
	if n := number(t, conn, "SELECT count() FROM events"); n != all.All.Events || n != last.Events {
		t.Errorf("%d events stored, %d reported, want %d", n, last.Events, all.All.Events)
	}
	inside := fmt.Sprintf("received_at >= fromUnixTimestamp64Micro(%d) AND received_at < fromUnixTimestamp64Micro(%d)",
		from.UnixMicro(), to.UnixMicro())
	flow := inside + " AND verdict = 'accepted' AND kind = 'flow' AND bothelp_user_id != ''"
	equal := func(what, query string, want uint64) {
		t.Helper()
		if got := number(t, conn, query); got != want || want == 0 {
			t.Errorf("%s: %d by SQL, want %d", what, got, want)
		}
	}
	courseSteps, webinarSteps := simulate.Steps()
	for source, steps := range map[string][]string{"course": courseSteps, "webinar": webinarSteps} {
		s := r.Sources[source]
		of := flow + " AND source = '" + source + "'"
		equal(source+": leads", "SELECT uniqExact(bothelp_user_id) FROM events WHERE step = '"+steps[0]+"' AND "+of,
			s.Funnel.Leads)
		conditions := make([]string, len(steps))
		for i, step := range steps {
			equal(source+": "+step, "SELECT uniqExact(bothelp_user_id) FROM events WHERE step = '"+step+"' AND "+of,
				s.Steps[step])
			conditions[i] = "step = '" + step + "'"
		}
		for k, want := range s.Funnel.Reached {
			equal(fmt.Sprintf("%s: level %d", source, k+1), fmt.Sprintf(`SELECT countIf(level >= %d) FROM (SELECT windowFunnel(%d)(toUInt64(toUnixTimestamp64Micro(received_at)), %s) AS level
				FROM events WHERE %s GROUP BY bothelp_user_id)`, k+1, window.Microseconds(), strings.Join(conditions, ", "), of), want)
		}
		equal(source+": contacts", "SELECT uniqExactIf(bothelp_user_id, email != '' OR phone != '') FROM events WHERE "+
			of, s.Contacts)
		for which, touches := range map[string][]simulate.Touch{"argMinIf": s.FirstTouch, "argMaxIf": s.LatestTouch} {
			i := slices.IndexFunc(touches, func(g simulate.Touch) bool { return g.UTMSource != "" })
			equal(source+": "+which, fmt.Sprintf(`SELECT countIf(lead AND touch.1 = '%s' AND touch.2 = '%s' AND touch.3 = '%s') FROM (SELECT countIf(step = '%s') > 0 AS lead,
				%s((utm_source, utm_medium, utm_campaign), received_at, utm_source || utm_medium || utm_campaign != '') AS touch FROM events WHERE %s GROUP BY bothelp_user_id)`,
				touches[i].UTMSource, touches[i].UTMMedium, touches[i].UTMCampaign, steps[0], which, of),
				touches[i].Leads)
		}
	}
	equal("conversations", "SELECT countIf(kind = 'conversation_closed' AND duplicate_of = toUUID('"+uuid.Nil.String()+
		"')) FROM events WHERE verdict = 'accepted' AND "+inside, r.All.Closed)
	equal("duplicates", "SELECT countIf(duplicate_of != toUUID('"+uuid.Nil.String()+"')) FROM events WHERE "+inside,
		r.All.Duplicates)
	equal("decode errors", "SELECT countIf(decode_error != '') FROM events WHERE "+inside, r.All.DecodeErrors)
	equal("bad tokens", "SELECT countIf(verdict = 'bad_token') FROM events WHERE "+inside, r.All.Verdicts["bad_token"])
	equal("subscribers",
		"SELECT uniqExactIf(bothelp_user_id, bothelp_user_id != '') FROM events WHERE verdict = 'accepted' AND "+inside,
		r.All.Subscribers)
	day := "2026-10-20"
	equal("active on a day",
		"SELECT uniqExactIf(bothelp_user_id, bothelp_user_id != '') FROM events WHERE toDate(received_at, "+
			"'Europe/Moscow') = '"+day+"' AND "+inside, r.All.Days[day].Active)
	assertRetries(t, db, a)
}

// assertRetries compares the account's retries with those that ingest finds in the table.
func assertRetries(t *testing.T, db *store.Store, a *simulate.Account) {
	t.Helper()
	var chats []event.Event
	for _, e := range all(a) {
		if e.EventAt != nil && len(chats) < 6000 {
			chats = append(chats, e)
		}
	}
	found, err := db.Originals(t.Context(), chats)
	if err != nil {
		t.Fatal(err)
	}
	retries := 0
	for _, e := range chats {
		if found[e.ID] != e.DuplicateOf {
			t.Fatalf("event %s: a retry of %s for ingest, of %s for the account", e.ID, found[e.ID], e.DuplicateOf)
		}
		if e.DuplicateOf != uuid.Nil {
			retries++
		}
	}
	if retries == 0 {
		t.Error("no retries")
	}
}

// TestBackfillStops verifies that a backfill ends with the store's error, or when its context is cancelled.
func TestBackfillStops(t *testing.T) {
	a := account(t, func(o *simulate.Options) { o.Subscribers = 200 })
	broken, batches := errors.New("broken"), 0
	insert := func(context.Context, string, []event.Event) error {
		batches++
		if batches == 2 {
			return broken
		}
		return nil
	}
	if err := simulate.BackfillBatches(a, t.Context(), 100, insert, func(simulate.Progress) {}); !errors.Is(err,
		broken) || batches != 2 {
		t.Errorf("after %d batches: %v", batches, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := simulate.BackfillBatches(a, ctx, 100, func(context.Context, string, []event.Event) error {
		cancel()
		return nil
	}, func(simulate.Progress) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkBackfill measures a complete backfill into the engine: SUBSCRIBERS=100000 go test -bench Backfill -benchtime
// 1x.
func BenchmarkBackfill(b *testing.B) {
	subscribers, _ := strconv.Atoi(os.Getenv("SUBSCRIBERS"))
	db, _ := newDB(b)
	a := account(b, func(o *simulate.Options) {
		o.Subscribers = uint32(max(subscribers, 20_000))
		o.From = until.Add(-90 * 24 * time.Hour)
	})
	var total uint64
	for b.Loop() {
		if err := a.Backfill(b.Context(), db.InsertEvents, func(p simulate.Progress) { total = p.Events }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(total), "events")
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkEvents measures the generation of requests, on all processors.
func BenchmarkEvents(b *testing.B) {
	a := account(b, nil)
	var batches [][]simulate.Visit
	for batch := range a.Batches(simulate.BatchSize) {
		batches = append(batches, batch)
	}
	total := 0
	for b.Loop() {
		total += len(a.Events(batches[0]))
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
}
