package store_test

import (
	"crypto/sha256"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestBodyGone: what has lost its body is planned, frozen and sent nowhere, and the plan says so. What never had one is an
// event like all others.
func TestBodyGone(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	old, fresh, empty := daysAgo(30, 1, "demo", event.Accepted), daysAgo(1, 2, "demo", event.Accepted), daysAgo(30, 3, "demo", event.Accepted)
	delivered := daysAgo(30, 4, "demo", event.Accepted)
	empty.Body, empty.BodySHA256 = nil, sha256.Sum256(nil)
	d.insert(t, old, fresh, empty, delivered)
	record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: delivered.ID}, EventReceivedAt: delivered.ReceivedAt,
		State: event.Delivered, Attempts: 1, UpdatedAt: delivered.ReceivedAt})
	d.apply(t, store.Retention{Bodies: 10})

	for _, c := range []struct {
		mode event.Mode
		want store.Plan
	}{
		{event.ModeUndelivered, store.Plan{Count: 2, Delivered: 1, BodiesGone: 1}},
		{event.ModeAll, store.Plan{Count: 2, BodiesGone: 2}},
	} {
		plan, err := d.PlanReplay(background, store.PlanRequest{Endpoint: "crm", Mode: c.mode})
		if err != nil || plan.Count != c.want.Count || plan.Delivered != c.want.Delivered || plan.BodiesGone != c.want.BodiesGone || len(plan.Heads) != 2 {
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
