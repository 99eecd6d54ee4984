package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
)

func TestHistogram(t *testing.T) {
	d := newDB(t)
	if first, err := d.FirstEvent(background); err != nil || !first.IsZero() {
		t.Errorf("first event of an empty table: %v, %v", first, err)
	}
	refused := eventAt(dawn.Add(61*time.Minute), 9)
	refused.Verdict = event.BadToken
	d.insert(t, eventAt(dawn, 1), eventAt(dawn.Add(time.Minute-time.Microsecond), 2), eventAt(dawn.Add(time.Minute), 3),
		eventAt(dawn.Add(61*time.Minute), 4), refused, eventAt(dawn.Add(2*time.Hour), 5))
	bars, err := d.Histogram(background, event.Selection{Sources: []string{"demo"}}, dawn, dawn.Add(2*time.Hour),
		time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Bar{{At: dawn, Events: 2}, {At: dawn.Add(time.Minute), Events: 1},
		{At: dawn.Add(61 * time.Minute), Events: 2, Refused: 1}}
	if !slices.EqualFunc(bars, want, func(a, b store.Bar) bool {
		return a.At.Equal(b.At) && a.Events == b.Events && a.Refused == b.Refused
	}) {
		t.Errorf("got bars %v, want %v", bars, want)
	}
	if first, err := d.FirstEvent(background); err != nil || !first.Equal(dawn) {
		t.Errorf("first event at %v, %v", first, err)
	}
}

func TestNeighbours(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for n := range 5 { // 1 and 2 have the same time; 3 is another subscriber's
		e := eventAt(dawn.Add(time.Duration([]int{0, 1, 1, 2, 3}[n])*time.Second), n)
		e.BothelpUserID, e.MessengerUserID = "a", "tg-a"
		events = append(events, e)
	}
	events[3].BothelpUserID, events[3].MessengerUserID = "b", "tg-b"
	refused := eventAt(dawn.Add(2500*time.Millisecond), 7)
	refused.BothelpUserID, refused.Verdict = "a", event.BadSignature
	d.insert(t, append(events, refused)...)
	for n, want := range map[int][2]int{0: {-1, 1}, 1: {0, 2}, 2: {1, 4}, 4: {2, -1}} {
		for _, id := range []string{"a", "tg-a"} {
			before, after, err := d.Neighbours(background, id, store.Cursor{At: events[n].ReceivedAt, ID: events[n].ID})
			if err != nil {
				t.Fatal(err)
			}
			if got := [2]int{numberOf(before), numberOf(after)}; got != want {
				t.Errorf("neighbours of %d of %s: %v, want %v", n, id, got, want)
			}
		}
	}
}

func numberOf(e *event.Event) int {
	if e == nil {
		return -1
	}
	return numbers([]event.Event{*e})[0]
}

func TestListStored(t *testing.T) {
	d := newDB(t)
	d.insert(t, eventAt(dawn.Add(time.Hour), 1))
	stored := d.list(t, event.Selection{})[0].StoredAt
	d.eventuallyLater(t, stored)
	d.insert(t, eventAt(dawn, 2)) // received earlier, stored later
	found, err := d.ListStored(background, event.Selection{}, stored.Add(time.Millisecond), 10)
	if err != nil || !slices.Equal(numbers(found), []int{2}) {
		t.Errorf("events stored since: %v, %v", numbers(found), err)
	}
	found, err = d.ListStored(background, event.Selection{}, stored, 10)
	if err != nil || !slices.Equal(numbers(found), []int{1, 2}) {
		t.Errorf("in order of receipt: %v, %v", numbers(found), err)
	}
}

// eventuallyLater waits until the server's clock is after a time.
func (d db) eventuallyLater(t *testing.T, than time.Time) {
	t.Helper()
	testutil.Eventually(t, func() error {
		now, err := d.Now(background)
		if err == nil && !now.After(than.Add(time.Millisecond)) {
			err = fmt.Errorf("the server's clock is at %s, want after %s", now, than)
		}
		return err
	})
}

func TestDeliverySummaries(t *testing.T) {
	d := newDB(t)
	e, other := eventAt(dawn, 1), eventAt(dawn, 2)
	key := event.DeliveryKey{Endpoint: "crm", EventID: e.ID}
	again := key
	again.ReplayID = uuid.New()
	failed := event.Delivery{DeliveryKey: key, EventReceivedAt: dawn, State: event.Failed, Attempts: 3,
		UpdatedAt: dawn.Add(time.Minute)}
	pending := event.Delivery{DeliveryKey: key, EventReceivedAt: dawn, State: event.Pending, UpdatedAt: dawn}
	delivered := event.Delivery{DeliveryKey: again, EventReceivedAt: dawn, State: event.Delivered, Attempts: 1,
		UpdatedAt: dawn.Add(time.Hour)}
	again.ReplayID = uuid.New()
	failedLater := event.Delivery{DeliveryKey: again, EventReceivedAt: dawn, State: event.Failed, Attempts: 1,
		UpdatedAt: dawn.Add(2 * time.Hour)}
	sheets := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "sheets", EventID: e.ID}, EventReceivedAt: dawn,
		State: event.Retrying, Attempts: 1, UpdatedAt: dawn}
	unasked := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: other.ID}, EventReceivedAt: dawn,
		State: event.Delivered, UpdatedAt: dawn}
	if err := d.InsertDeliveries(background, []event.Delivery{failed, pending, delivered, failedLater, sheets,
		unasked}); err != nil {
		t.Fatal(err)
	}
	got, err := d.DeliverySummaries(background, []uuid.UUID{e.ID}, dawn, dawn)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.DeliverySummary{{EventID: e.ID, Endpoint: "crm", State: event.Delivered},
		{EventID: e.ID, Endpoint: "sheets", State: event.Retrying}}
	if !slices.Equal(got, want) {
		t.Errorf("got summaries %v, want %v", got, want)
	}
}

func TestStats(t *testing.T) {
	d := newDB(t)
	old := eventAt(dawn.Add(-time.Hour), 1)
	bad := eventAt(dawn.Add(2*time.Minute), 2)
	unread := eventAt(dawn.Add(time.Minute), 3)
	bad.Verdict, unread.DecodeError = event.TooLarge, "created_at: no time"
	d.insert(t, old, eventAt(dawn, 4), bad, unread)
	found, err := d.SourceStats(background, dawn, nil, 10)
	if err != nil || len(found) != 1 {
		t.Fatalf("got figures %v, %v", found, err)
	}
	f := found[0]
	if f.Source != "demo" || f.Accepted != 2 || f.Unread != 1 || f.Verdicts[event.TooLarge] != 1 ||
		len(f.Verdicts) != 1 || !f.Last.Equal(unread.ReceivedAt) || f.LastID != unread.ID {
		t.Errorf("got figures %+v", f)
	}
	stranger := eventAt(dawn, 5)
	stranger.Source, stranger.Verdict = "aaa", event.UnknownSource
	d.insert(t, stranger)
	if found, err := d.SourceStats(background, dawn, nil, 1); err != nil || len(found) != 1 ||
		found[0].Source != "demo" {
		t.Errorf("largest source: %+v, %v", found, err)
	}
	if found, err := d.SourceStats(background, dawn, []string{"aaa"}, 1); err != nil || len(found) != 1 ||
		found[0].Source != "aaa" {
		t.Errorf("named source: %+v, %v", found, err)
	}
	if at, id, err := d.LastEvent(background, "nosuch"); err != nil || !at.IsZero() || id != uuid.Nil {
		t.Errorf("last event of an unknown source: %v %v, %v", at, id, err)
	}

	r := event.Replay{ID: uuid.New(), CreatedAt: dawn}
	attempt := func(n int, outcome event.Outcome, took time.Duration, replay uuid.UUID) event.Attempt {
		return event.Attempt{ID: idAt(dawn, n), EventID: idAt(dawn, n), Endpoint: "crm", ReplayID: replay, Number: 1,
			StartedAt: dawn.Add(time.Duration(n) * time.Second), Duration: took, Outcome: outcome}
	}
	if err := d.RecordOutcomes(background, "token", nil,
		[]event.Attempt{attempt(1, event.OutcomeDelivered, 10*time.Millisecond, uuid.Nil),
			attempt(2, event.OutcomeStatus, 20*time.Millisecond, uuid.Nil), attempt(3, event.OutcomeTimeout,
				30*time.Millisecond, r.ID), attempt(-3600, event.OutcomeTimeout, time.Second, uuid.Nil)}); err != nil {
		t.Fatal(err)
	}
	endpoints, err := d.EndpointStats(background, dawn)
	if err != nil || len(endpoints) != 1 || endpoints[0].Attempts != 3 || endpoints[0].Delivered != 1 ||
		endpoints[0].P50 != 20*time.Millisecond || !endpoints[0].Last.Equal(dawn.Add(3*time.Second)) {
		t.Errorf("figures of endpoints: %+v, %v", endpoints, err)
	}
	forwarded := attempt(4, event.OutcomeTimeout, time.Second, uuid.Nil)
	forwarded.Kind = event.AttemptForward
	if err := d.RecordOutcomes(background, "forwarded", nil, []event.Attempt{forwarded}); err != nil {
		t.Fatal(err)
	}
	failures, err := d.LastFailures(background, "crm", dawn, 10)
	if err != nil || len(failures) != 2 || failures[0].Outcome != event.OutcomeTimeout ||
		failures[1].Outcome != event.OutcomeStatus {
		t.Errorf("failures: %+v, %v", failures, err)
	}
}
