package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestFailureGroups verifies that a failure group is of failed and retrying deliveries everywhere, and which of them
// were resolved: their event was delivered to the endpoint later, live or by a replay.
func TestFailureGroups(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newReplay(1)
	if err := d.SaveReplay(background, r); err != nil {
		t.Fatal(err)
	}
	one := func(n int, replay uuid.UUID, endpoint string, state event.DeliveryState, minute int) event.Delivery {
		at := dawn.Add(time.Duration(minute) * time.Minute)
		e := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: replay, Endpoint: endpoint, EventID: idAt(dawn, n)},
			EventReceivedAt: dawn, State: state, Attempts: 1, StatusCode: 503, Outcome: event.OutcomeStatus,
			Answer: "busy", UpdatedAt: at, FirstAttemptAt: at, LastAttemptAt: at, Subscriber: fmt.Sprint("m:", n)}
		if state == event.Delivered {
			e.StatusCode, e.Outcome, e.Answer = 200, event.OutcomeDelivered, ""
		}
		return e
	}
	record(t, d, "",
		one(1, uuid.Nil, "crm", event.Failed, 1), one(1, r.ID, "crm", event.Delivered, 2), // resolved by a replay
		one(2, r.ID, "crm", event.Failed, 1), one(2, uuid.Nil, "crm", event.Delivered, 2), // resolved live
		one(3, uuid.Nil, "crm", event.Delivered, 1), one(3, r.ID, "crm", event.Failed, 2), // failed after a success
		one(4, uuid.Nil, "crm", event.Retrying, 1), one(4, uuid.Nil, "sheet", event.Delivered, 2),
		one(5, r.ID, "crm", event.Cancelled, 1))
	found, err := d.FailureGroups(background, event.DeliverySelection{}, 10)
	if err != nil || len(found.Groups) != 1 || found.Count != 4 || found.Resolved != 2 ||
		found.Groups[0].Resolved != 2 || found.Groups[0].States[event.Failed] != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	group := event.DeliverySelection{Groups: []string{found.Groups[0].Key}}
	counts, err := d.CountSelectedDeliveries(background, group)
	var n uint64
	for _, c := range counts {
		n += c.N
	}
	if err != nil || n != 4 {
		t.Errorf("the group has %d deliveries, %v: %+v", n, err, counts)
	}
	group.States = []event.DeliveryState{event.Cancelled}
	if counts, err = d.CountSelectedDeliveries(background, group); err != nil || len(counts) != 1 || counts[0].N != 1 {
		t.Errorf("cancelled ones of the group: %+v, %v", counts, err)
	}
	for _, id := range []string{"4", "m:4"} {
		if got := d.deliveriesOf(t, "subscriber="+id, 10); len(got) != 2 {
			t.Errorf("subscriber %s has the deliveries %v", id, got)
		}
	}
}

// TestManyIDs verifies that a selection may name more events or deliveries than a URL has room for.
func TestManyIDs(t *testing.T) {
	t.Parallel()
	const many = 30_000
	d := newDB(t)
	e := eventAt(dawn, 1)
	d.insert(t, e)
	failed := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: e.ID}, EventReceivedAt: dawn,
		State: event.Failed, Attempts: 1, UpdatedAt: dawn, Subscriber: "7"}
	record(t, d, "", failed)
	ids, deliveries := make([]uuid.UUID, many), make([]string, many)
	for i := range ids {
		ids[i] = event.NewID(dawn.Add(time.Duration(i) * time.Millisecond))
		deliveries[i] = event.DeliveryKey{Endpoint: "crm", EventID: ids[i]}.ID().String()
	}
	ids[many-1], deliveries[many-1] = e.ID, failed.ID().String()
	if found := d.list(t, event.Selection{IDs: ids}); len(found) != 1 {
		t.Errorf("found %d events", len(found))
	}
	for what, sel := range map[string]event.DeliverySelection{"deliveries": {IDs: deliveries}, "events": {Events: ids}} {
		if counts, err := d.CountSelectedDeliveries(background, sel); err != nil || len(counts) != 1 || counts[0].N != 1 {
			t.Errorf("by the ids of %s: %+v, %v", what, counts, err)
		}
		r := newReplay(1)
		r.ID, r.CreatedAt, r.Selection, r.Retries = uuid.New(), dawn.Add(time.Hour), event.Selection{}, &sel
		if n, err := d.FreezeReplay(background, r); err != nil || n != 1 {
			t.Errorf("by the ids of %s: %d frozen, %v", what, n, err)
		}
	}
	for _, command := range []event.Command{{Target: "crm", Action: event.ActionRetry, Events: ids[:10_000]},
		{Target: "mailing", Action: event.ActionRetry}, {Target: "crm", Action: event.ActionPause}} {
		if err := d.AddCommand(background, command); err != nil {
			t.Fatal(err)
		}
	}
	d.exec(t, "INSERT INTO commands (target, action, at) VALUES ('crm', 'retry', now64(6) - INTERVAL 25 HOUR)")
	steering, _, err := d.Steering(background)
	if err != nil || len(steering["crm"].Retries) != 1 {
		t.Errorf("%+v, %v", steering, err)
	}
	commands, err := d.RetryCommands(background, "crm", steering["crm"].Retries)
	if err != nil || len(commands) != 1 || len(commands[0].Events) != 10_000 || commands[0].Key != steering["crm"].Retries[0] {
		t.Fatalf("%d commands, %v", len(commands), err)
	}
}

// TestSaveProgress verifies that progress changes the state and the counts of a replay and keeps its selections, which
// the process that delivers does not read.
func TestSaveProgress(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newReplay(1)
	r.Retries = &event.DeliverySelection{Replays: []string{event.LiveDelivery}}
	if err := d.SaveReplay(background, r); err != nil {
		t.Fatal(err)
	}
	unfinished, err := d.UnfinishedReplays(background)
	if err != nil || len(unfinished) != 1 || unfinished[0].Selection.Sources != nil || unfinished[0].Retries != nil {
		t.Fatalf("%+v, %v", unfinished, err)
	}
	next := unfinished[0].Replay
	next.State, next.Rate, next.UpdatedAt = event.ReplayCompleted, 7, dawn.Add(time.Second)
	next.Counts = map[event.DeliveryState]uint64{event.Delivered: 3}
	if err := d.SaveProgress(background, next); err != nil {
		t.Fatal(err)
	}
	got, err := d.Replay(background, r.ID)
	if err != nil || got.State != event.ReplayCompleted || got.Rate != 7 || got.Counts[event.Delivered] != 3 ||
		len(got.Selection.Sources) != 1 || got.Retries == nil || len(got.Retries.Replays) != 1 ||
		got.Concurrency != r.Concurrency {
		t.Errorf("%+v, %v", got, err)
	}
	if same, err := d.LastReplayOf(background, r); err != nil || same.ID != r.ID {
		t.Errorf("the last replay of the same selection: %+v, %v", same, err)
	}
}

// TestLastReplayOf verifies that a replay of the same filters is found if it had most of the same time.
func TestLastReplayOf(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	at := func(hour int) *time.Time { t := dawn.Add(time.Duration(hour) * time.Hour); return &t }
	selection := func(from, until *time.Time, sources ...string) event.Selection {
		return event.Selection{From: from, Until: until, Sources: sources, Text: `"to":"x",`}
	}
	r := newReplay(1)
	for name, c := range map[string]struct {
		stored, wanted event.Selection
		same           bool
	}{
		"the same":            {selection(at(0), at(4), "demo"), selection(at(0), at(4), "demo"), true},
		"no filters":          {selection(at(0), at(4)), selection(at(0), at(4)), true},
		"another end":         {selection(nil, at(4), "demo"), selection(nil, at(5), "demo"), true},
		"an hour later":       {selection(at(0), at(4), "demo"), selection(at(1), at(5), "demo"), true},
		"the next four hours": {selection(at(0), at(4), "demo"), selection(at(4), at(8), "demo"), false},
		"hardly the same":     {selection(at(0), at(4), "demo"), selection(at(3), at(7), "demo"), false},
		"no range":            {selection(nil, nil, "demo"), selection(nil, nil, "demo"), true},
		"another source":      {selection(at(0), at(4), "demo"), selection(at(0), at(4), "shop"), false},
	} {
		r.ID, r.Endpoint, r.Selection = uuid.New(), name, c.stored
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
		wanted := r
		wanted.Selection = c.wanted
		if found, err := d.LastReplayOf(background, wanted); err != nil || (found.ID == r.ID) != c.same {
			t.Errorf("%s: found %v, %v", name, found.ID, err)
		}
	}
}

// TestOpenRetries counts the deliveries that wait for a retry, and those behind them.
func TestOpenRetries(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newReplay(1)
	next := dawn.Add(time.Hour)
	one := func(n int, person string, state event.DeliveryState) event.Delivery {
		e := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: r.ID, Endpoint: "crm", EventID: idAt(dawn, n)},
			EventReceivedAt: dawn.Add(time.Duration(n) * time.Second), State: state, UpdatedAt: dawn, Subscriber: person}
		if state == event.Retrying {
			e.NextAt = next.Add(time.Duration(n) * time.Second)
		}
		return e
	}
	record(t, d, "", one(0, "a", event.Delivered), one(1, "a", event.Retrying), one(2, "a", event.Pending),
		one(3, "b", event.Retrying), one(4, "a", event.Pending))
	q := store.Queue{ReplayID: r.ID, Endpoint: "crm"}
	if got, err := d.OpenRetries(background, q); err != nil || !got.Next.Equal(next.Add(time.Second)) ||
		got.Retrying != 2 || got.Others != 2 || got.Free != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	first, err := d.EarlierDeliveries(background, q, []string{"a", "b"}, dawn.Add(2*time.Second))
	if err != nil || len(first) != 1 || first["a"].EventID != idAt(dawn, 1) || first["a"].State != event.Retrying {
		t.Errorf("the first open deliveries: %+v, %v", first, err)
	}
	record(t, d, "", one(5, "c", event.Pending))
	if got, err := d.OpenRetries(background, q); err != nil || got.Free != 1 {
		t.Errorf("with another subscriber: %+v, %v", got, err)
	}
}
