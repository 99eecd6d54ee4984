package store_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestBodyGone verifies that an event with an expired body is not planned or frozen, and that the plan counts it. An
// event that never had a body is sent.
func TestBodyGone(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	old := daysAgo(30, 1, "demo", event.Accepted)
	fresh := daysAgo(1, 2, "demo", event.Accepted)
	empty := daysAgo(30, 3, "demo", event.Accepted)
	delivered := daysAgo(30, 4, "demo", event.Accepted)
	empty.Body, empty.BodySHA256 = nil, sha256.Sum256(nil)
	d.insert(t, old, fresh, empty, delivered)
	record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: delivered.ID},
		EventReceivedAt: delivered.ReceivedAt, State: event.Delivered, Attempts: 1, UpdatedAt: delivered.ReceivedAt})
	d.apply(t, store.Retention{Bodies: 10})

	for _, c := range []struct {
		mode event.Mode
		want store.Plan
	}{
		{event.ModeUndelivered, store.Plan{Count: 2, Delivered: 1, BodiesGone: 1}},
		{event.ModeAll, store.Plan{Count: 2, BodiesGone: 2}},
	} {
		plan, err := d.PlanReplay(background, store.PlanRequest{Endpoint: "crm", Mode: c.mode})
		if err != nil || plan.Count != c.want.Count || plan.Delivered != c.want.Delivered ||
			plan.BodiesGone != c.want.BodiesGone || len(plan.Heads) != 2 {
			t.Errorf("%s: plan %+v, %v", c.mode, plan, err)
		}
		r := newReplay(len(c.mode))
		r.CreatedAt, r.Mode, r.Endpoint = fresh.ReceivedAt.AddDate(0, 0, 1), c.mode, "crm"
		if n, err := d.FreezeReplay(background, r); err != nil || n != 2 {
			t.Errorf("%s: %d frozen, %v", c.mode, n, err)
		}
	}
	payloads, err := d.Payloads(background, idsOf([]event.Event{old, fresh, empty}), 1<<20)
	if err != nil || len(payloads) != 3 {
		t.Fatalf("%d payloads, %v", len(payloads), err)
	}
	for _, p := range payloads {
		if p.BodyGone() != (p.ID == old.ID) {
			t.Errorf("event %s: gone %v", p.ID, p.BodyGone())
		}
	}
}

// sendCase is an event with one combination of the properties that decide whether a replay sends it.
type sendCase struct {
	event     event.Event
	forgotten bool // its deliveries may have been purged
	delivery  event.Delivery
	// replay of the delivery: "" for live, "none" for an unsaved one, "cancel" for one with a new command, or its state
	replay string
}

// sent is the rule, implemented in Go.
func (c sendCase) sent(mode event.Mode, byID bool) bool {
	if c.event.Verdict != event.Accepted || c.event.BodyGone() || c.event.DuplicateOf != uuid.Nil && !byID {
		return false
	}
	if mode == event.ModeAll {
		return true
	}
	replayOpen := c.replay != "none" && c.replay != "cancel" && !event.ReplayState(c.replay).Final()
	switch state := c.delivery.State; {
	case c.forgotten:
		return false
	case state == "":
		return true
	case c.replay == "none" && c.delivery.Attempts == 0: // not saved yet
		return true
	case state.Final():
		return state != event.Delivered
	default:
		return !replayOpen
	}
}

// sendCases returns all combinations. The step of each event is its number.
func sendCases(replays map[string]uuid.UUID) (cases []sendCase) {
	states := []event.DeliveryState{"", event.Pending, event.Delivering, event.Retrying, event.Unknown, event.Delivered,
		event.Failed, event.Cancelled}
	for _, verdict := range []event.Verdict{event.Accepted, event.BadToken} {
		for _, duplicate := range []bool{false, true} {
			for _, body := range []string{"whole", "gone", "never"} {
				for _, forgotten := range []bool{false, true} {
					for _, state := range states {
						for replay, id := range replays {
							if state == "" && replay != "" {
								continue
							}
							n := len(cases)
							at := dawn.Add(time.Duration(n) * time.Millisecond)
							if forgotten {
								at = at.AddDate(0, -1, 0)
							}
							e := eventAt(at, n)
							e.Step, e.Verdict = fmt.Sprint(n), verdict
							e.BodySHA256 = sha256.Sum256(e.Body)
							switch body {
							case "gone":
								e.Body = nil
							case "never":
								e.Body, e.BodySHA256 = nil, event.EmptyHash
							}
							if duplicate {
								e.DuplicateOf = idAt(dawn, 1)
							}
							d := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: id, Endpoint: "crm",
								EventID: e.ID}, EventReceivedAt: at, State: state, UpdatedAt: dawn}
							if state != event.Pending && state != event.Cancelled {
								d.Attempts = 1
							}
							cases = append(cases, sendCase{e, forgotten, d, replay})
						}
					}
				}
			}
		}
	}
	return cases
}

// TestSendable compares a replay's plan and frozen deliveries with the rule in Go, for all combinations of verdict,
// duplicate, body, purge, the delivery's state and the state of its replay.
func TestSendable(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	replays := map[string]uuid.UUID{"": uuid.Nil, "none": idAt(dawn, 5000), "cancel": uuid.Nil}
	states := map[string]event.ReplayState{"cancel": event.ReplayRunning}
	for _, state := range []event.ReplayState{event.ReplayRunning, event.ReplayPaused, event.ReplayCompleted,
		event.ReplayCancelled} {
		states[string(state)] = state
	}
	for name, state := range states {
		r := newReplay(0)
		r.ID, r.State = uuid.New(), state
		replays[name] = r.ID
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.AddCommand(background, event.Command{Target: replays["cancel"].String(),
		Action: event.ActionCancel}); err != nil {
		t.Fatal(err)
	}
	cases := sendCases(replays)
	var events []event.Event
	var deliveries []event.Delivery
	for _, c := range cases {
		events = append(events, c.event)
		if c.delivery.State != "" {
			deliveries = append(deliveries, c.delivery)
		}
	}
	d.insert(t, events...)
	record(t, d, "", deliveries...)
	d.exec(t, "INSERT INTO swept (endpoint, event_received_at) VALUES ('crm', '2026-02-28 00:00:00')")

	for _, byID := range []bool{false, true} {
		for _, mode := range []event.Mode{event.ModeAll, event.ModeUndelivered} {
			r := newReplay(100)
			r.ID = uuid.New()
			r.CreatedAt = dawn.AddDate(0, 0, 1)
			r.Mode = mode
			r.Selection = event.Selection{}
			if byID {
				r.Selection.IDs = idsOf(events)
			}
			var want []string
			for _, c := range cases {
				if c.sent(mode, byID) {
					want = append(want, c.event.Step)
				}
			}
			plan, err := d.PlanReplay(background, store.PlanRequest{Selection: r.Selection, Endpoint: "crm",
				Mode: mode})
			var planned, frozen []string
			for _, part := range plan.Parts {
				planned = append(planned, part.Step)
			}
			slices.Sort(planned)
			slices.Sort(want)
			if err != nil || !slices.Equal(planned, want) || plan.Count != uint64(len(want)) {
				t.Errorf("%s, by id %v: planned %d events (%d), want %d; %v", mode, byID, len(planned), plan.Count,
					len(want), err)
			}
			if _, err := d.FreezeReplay(background, r); err != nil {
				t.Fatal(err)
			}
			for _, one := range d.open(t, store.Queue{ReplayID: r.ID, Endpoint: "crm"}, len(cases)) {
				frozen = append(frozen, cases[int(one.EventID[14])<<8|int(one.EventID[15])].event.Step)
			}
			slices.Sort(frozen)
			if !slices.Equal(frozen, want) {
				t.Errorf("%s, by id %v: froze %d events, want %d", mode, byID, len(frozen), len(want))
			}
		}
	}
}

// TestCancelledVersion verifies that cancelling sets the version that Go computes, for every open state and number of
// attempts, so that no late result replaces it.
func TestCancelledVersion(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	var deliveries []event.Delivery
	for _, state := range []event.DeliveryState{event.Pending, event.Delivering, event.Retrying, event.Unknown} {
		for attempts := range uint32(4) {
			id := idAt(dawn, len(deliveries))
			deliveries = append(deliveries, event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: id},
				EventReceivedAt: dawn, State: state, Attempts: attempts, UpdatedAt: dawn})
		}
	}
	record(t, d, "", deliveries...)
	if err := d.CancelDeliveries(background, store.Queue{Endpoint: "crm"}); err != nil {
		t.Fatal(err)
	}
	for _, one := range deliveries {
		one.State = event.Cancelled
		query := "SELECT state || ' ' || toString(version) FROM deliveries FINAL WHERE event_id = '" +
			one.EventID.String() + "'"
		if got, want := d.text(t, query), fmt.Sprint("cancelled ", one.Version()); got != want {
			t.Errorf("with %d attempts: %s, want %s", one.Attempts, got, want)
		}
	}
}
