package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

func newReplay(n int) event.Replay {
	return event.Replay{ID: idAt(dawn, 1000+n), CreatedAt: dawn.Add(time.Duration(n) * time.Second), UpdatedAt: dawn,
		CreatedBy: "cli:я", State: event.ReplayRunning, Endpoint: "crm", URL: "http://crm.example/",
		Selection:     event.Selection{Sources: []string{"demo"}},
		ReplayOptions: event.ReplayOptions{Rate: 2.5, Concurrency: 3, MaxAttempts: 4}}
}

func TestFreezeReplay(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for i := range 10 {
		e := eventAt(dawn.Add(time.Duration(i)*time.Microsecond), i)
		if i%2 == 1 {
			e.Verdict = event.BadToken
		}
		events = append(events, e)
	}
	d.insert(t, events...)
	d.insert(t, events[0]) // stored twice
	r := newReplay(1)
	if plan, err := d.PlanReplay(background, store.PlanRequest{Selection: r.Selection}); err != nil ||
		plan.Count != 5 || !plan.First.Equal(events[0].ReceivedAt) || !plan.Last.Equal(events[8].ReceivedAt) ||
		len(plan.Parts) != 1 || plan.Parts[0] != (store.PlanPart{Source: "demo", Day: "2026-03-01", Count: 5}) {
		t.Errorf("plan %+v, %v", plan, err)
	}
	if n, err := d.FreezeReplay(background, r); err != nil || n != 5 {
		t.Errorf("%d frozen, %v", n, err)
	}
	due, err := d.OpenDeliveries(background, store.Queue{ReplayID: r.ID, Endpoint: r.Endpoint}, store.Cursor{},
		store.Cursor{}, 100)
	if err != nil || len(due) != 5 {
		t.Fatalf("%d open, %v", len(due), err)
	}
	for i, got := range due {
		e := events[2*i]
		if got.EventID != e.ID || !got.EventReceivedAt.Equal(e.ReceivedAt) || got.ReplayID != r.ID ||
			got.Endpoint != "crm" || got.State != event.Pending || got.Attempts != 0 {
			t.Errorf("delivery %d is %+v", i, got)
		}
	}
}

func record(t *testing.T, d db, token string, deliveries ...event.Delivery) {
	t.Helper()
	if err := d.RecordOutcomes(background, token, deliveries, nil); err != nil {
		t.Fatal(err)
	}
}

// TestOpenDeliveries verifies reading deliveries in each state, due or not, page by page across equal times.
func TestOpenDeliveries(t *testing.T) {
	d := newDB(t)
	now := dawn.Add(time.Hour)
	key := func(n int) event.DeliveryKey {
		return event.DeliveryKey{ReplayID: idAt(dawn, 1), Endpoint: "crm", EventID: idAt(dawn, n)}
	}
	states := []event.Delivery{
		{State: event.Pending}, {State: event.Delivering, Attempts: 1}, {State: event.Unknown, Attempts: 1},
		{State: event.Retrying, Attempts: 1, NextAt: now},
		{State: event.Retrying, Attempts: 1, NextAt: now.Add(-time.Millisecond)},
		{State: event.Retrying, Attempts: 1, NextAt: now.Add(time.Millisecond)}, {State: event.Delivered, Attempts: 1},
		{State: event.Failed, Attempts: 1}, {State: event.Cancelled, Attempts: 1},
	}
	var all []event.Delivery
	for i := range 45 {
		one := states[i%len(states)]
		one.DeliveryKey = key(i)
		one.EventReceivedAt = dawn.Add(time.Duration(i/20) * time.Microsecond)
		one.UpdatedAt = now
		all = append(all, one)
	}
	other := all[0]
	other.Endpoint = "other"
	record(t, d, "", append(all, other)...)
	var want []int
	for i := range all {
		if i%len(states) <= 5 {
			want = append(want, i)
		}
	}
	for _, size := range []int{1, 7, 100} {
		var got []int
		var after store.Cursor
		for {
			page, err := d.OpenDeliveries(background, store.Queue{ReplayID: idAt(dawn, 1), Endpoint: "crm"}, after,
				store.Cursor{}, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, one := range page {
				n := int(one.EventID[15])
				got = append(got, n)
				if one.State != all[n].State || one.Attempts != all[n].Attempts ||
					!one.EventReceivedAt.Equal(all[n].EventReceivedAt) {
					t.Errorf("got delivery %+v, want %+v", one, all[n])
				}
			}
			after = store.Cursor{At: page[len(page)-1].EventReceivedAt, ID: page[len(page)-1].EventID}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", size, got, want)
		}
	}
}

// TestOutcomes verifies that a token stores outcomes once, and that the newest state counts in whatever order states
// arrive.
func TestOutcomes(t *testing.T) {
	d := newDB(t)
	r := newReplay(1)
	if err := d.SaveReplay(background, r); err != nil {
		t.Fatal(err)
	}
	key := event.DeliveryKey{ReplayID: r.ID, Endpoint: "crm", EventID: idAt(dawn, 2)}
	at := func(state event.DeliveryState, attempts uint32) event.Delivery {
		return event.Delivery{DeliveryKey: key, EventReceivedAt: dawn, State: state, Attempts: attempts,
			UpdatedAt: dawn.Add(time.Duration(attempts) * time.Second), Error: string(state)}
	}
	history := []event.Delivery{at(event.Pending, 0), at(event.Delivering, 1), at(event.Retrying, 1),
		at(event.Delivering, 2), at(event.Unknown, 2), at(event.Delivering, 3), at(event.Delivered, 3)}
	for i := range history {
		record(t, d, "", history[i])
		record(t, d, "", history[max(0, i-1)]) // an older one arrives late
		got, err := d.DeliveriesOf(background, key.EventID)
		if err != nil || len(got) != 1 || got[0].State != history[i].State || got[0].Attempts != history[i].Attempts ||
			got[0].Error != history[i].Error {
			t.Errorf("after %s %d: %+v, %v", history[i].State, history[i].Attempts, got, err)
		}
	}
	attempt := event.Attempt{ID: key.AttemptID(1), EventID: key.EventID, Endpoint: "crm",
		URL: "http://crm.example/?a=я", ReplayID: key.ReplayID, Number: 1,
		StartedAt: dawn.Add(654321 * time.Microsecond), Duration: 1500 * time.Microsecond, Outcome: event.OutcomeStatus,
		StatusCode: 503, Error: "answered 503",
		RequestHeaders:  []event.Header{{Name: "X-Key", Value: "***"}},
		ResponseHeaders: []event.Header{{Name: "A", Value: "1"}, {Name: "A", Value: "\xff"}},
		ResponseBody:    []byte("\x00\xff"), TraceID: [16]byte{1, 15: 2}, Kind: event.AttemptDelivery}
	second := attempt
	second.ID, second.Number = key.AttemptID(2), 2
	second.Kind = event.AttemptForward
	second.Fallback = event.FallbackDeadline
	second.MissingKeys = []string{"price", "я"}
	second.ResponseBytes, second.Overhead = 1<<40, 1500*time.Microsecond
	for range 2 {
		if err := d.RecordOutcomes(background, "outcomes-1-2", []event.Delivery{at(event.Delivered, 3)},
			[]event.Attempt{second, attempt}); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.text(t, "SELECT toString(count()) FROM attempts"); n != "2" {
		t.Errorf("%s attempts stored", n)
	}
	got, err := d.AttemptsOf(background, key.EventID)
	if err != nil || !reflect.DeepEqual(got, []event.Attempt{attempt, second}) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, []event.Attempt{attempt, second})
	}
}

// TestOutcomeTokenWithoutRows is TestTokenWithoutRows for outcomes.
func TestOutcomeTokenWithoutRows(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	key := event.DeliveryKey{Endpoint: "crm", EventID: idAt(dawn, 1)}
	deliveries := []event.Delivery{{DeliveryKey: key, EventReceivedAt: dawn, State: event.Delivered, Attempts: 2}}
	attempts := []event.Attempt{{ID: key.AttemptID(1), EventID: key.EventID, StartedAt: dawn},
		{ID: key.AttemptID(2), EventID: key.EventID, StartedAt: dawn.Add(time.Second)}}
	if err := d.RecordOutcomes(background, "token", deliveries, attempts); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, table := range []string{"attempts", "deliveries"} {
			d.exec(t, "ALTER TABLE "+d.localTable(table)+" DELETE WHERE true SETTINGS mutations_sync = 1")
		}
		if err := d.RecordOutcomesAgain(background, "token", deliveries, attempts); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.text(t, "SELECT toString(((SELECT count() FROM attempts), (SELECT count() FROM deliveries FINAL)))"); n != "(2,1)" {
		t.Errorf("numbers of attempts and deliveries: %s", n)
	}
}

// TestUnsavedReplay verifies that deliveries frozen for a replay that was never saved are not shown, do not block their
// events, and are purged after a day.
func TestUnsavedReplay(t *testing.T) {
	d := newDB(t)
	e := eventAt(dawn, 1)
	d.insert(t, e)
	undelivered := store.PlanRequest{Endpoint: "crm", Mode: event.ModeUndelivered}
	r := newReplay(1)
	r.Mode = event.ModeUndelivered
	left := func(when string, deliveries, planned, rows uint64) {
		t.Helper()
		shown, err := d.DeliveriesOf(background, e.ID)
		if err != nil || uint64(len(shown)) != deliveries {
			t.Errorf("%s: the event shows %+v, %v", when, shown, err)
		}
		if plan, err := d.PlanReplay(background, undelivered); err != nil || plan.Count != planned {
			t.Errorf("%s: the plan is %+v, %v", when, plan, err)
		}
		fates, err := d.DeliverySummaries(background, []uuid.UUID{e.ID}, e.ReceivedAt, e.ReceivedAt)
		if err != nil || uint64(len(fates)) != deliveries {
			t.Errorf("%s: summaries %+v, %v", when, fates, err)
		}
		if _, err := d.Purge(background, store.Forever); err != nil {
			t.Error(err)
		}
		if n, err := d.CountRows(background, "deliveries"); err != nil || n != rows {
			t.Errorf("%s: %d rows left, %v", when, n, err)
		}
	}
	if n, err := d.FreezeReplay(background, r); err != nil || n != 1 {
		t.Fatalf("%d frozen, %v", n, err)
	}
	left("frozen", 0, 1, 1)
	if err := d.SaveReplay(background, r); err != nil {
		t.Fatal(err)
	}
	left("saved", 1, 0, 1)
	record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: idAt(dawn, 7), Endpoint: "crm",
		EventID: e.ID}, EventReceivedAt: e.ReceivedAt,
		State: event.Pending, UpdatedAt: dawn, CreatedAt: time.Now().AddDate(0, 0, -2)})
	left("another, two days ago", 1, 0, 1)
}

func TestReplays(t *testing.T) {
	d := newDB(t)
	a, b := newReplay(1), newReplay(2)
	a.Selection = event.Selection{From: ptr(dawn), Until: ptr(dawn.Add(time.Microsecond)), Sources: []string{"'\\"},
		Steps: []string{"шаг"}, Kinds: event.Kinds, Verdicts: event.Verdicts, IDs: []uuid.UUID{idAt(dawn, 1)}}
	a.Total = 12
	for _, r := range []event.Replay{a, b} {
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Replay(background, a.ID); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, a)
	}
	a.State, a.UpdatedAt = event.ReplayPaused, dawn.Add(time.Microsecond)
	older := a
	older.State, older.UpdatedAt = event.ReplayCancelled, dawn.Add(-time.Microsecond)
	for _, r := range []event.Replay{a, older} {
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
	}
	list := func(states ...event.ReplayState) string {
		replays, err := d.Replays(background, uuid.Nil, 10, states...)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, r := range replays {
			text += fmt.Sprint(r.ID[15]-0xe8, " ", r.State, " ")
		}
		return text
	}
	if got := list(); got != "2 running 1 paused " {
		t.Errorf("all: %s", got)
	}
	if got := list(event.ReplayRunning); got != "2 running " {
		t.Errorf("running: %s", got)
	}
	if got := list(event.ReplayCancelled); got != "" {
		t.Errorf("cancelled: %s", got)
	}
}
