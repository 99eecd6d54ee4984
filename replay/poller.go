package replay

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

const (
	pollInterval = 300 * time.Millisecond
	pollLimit    = 5000
	// troublePause is how long a poller or a worker waits after an error of ClickHouse or of the disk.
	troublePause = 2 * time.Second
	// auditInterval is how often the poller checks that each event of the last auditWindow has its delivery.
	auditInterval = time.Hour
	auditWindow   = 48 * time.Hour
)

// poller makes a delivery of each stored event that an endpoint subscribes to. It reads along the numbers that the
// spools gave the events (see store.Range), so it sees each event once, in the order of its spool, whatever the clocks
// say.
//
// Its position is saved in the table endpoint_states. After a crash it continues there and skips events that have a
// delivery.
type poller struct {
	*instruments
	store        *store.Store
	queue        store.Queue
	subscription store.Subscription
	// previous is the subscription that a changed one replaces. It holds for numbers up to those in startedAfter.
	previous     store.Subscription
	startedAfter map[string]uint64
	arrived      func(store.Cursor) // tells the worker of new deliveries, by the place of the first
	unannounced  *store.Cursor      // the first delivery that arrived was not called for
	logger       *slog.Logger

	mu       sync.Mutex
	position event.EndpointState // only the fields that copyPosition copies; its maps are never changed
}

// copyPosition copies to an endpoint's state how far its poller is.
func copyPosition(to *event.EndpointState, from event.EndpointState) {
	to.Subscription = from.Subscription
	to.StartedAfter = from.StartedAfter
	to.Positions = from.Positions
	to.FollowedSince, to.FollowedUntil = from.FollowedSince, from.FollowedUntil
}

// snapshot returns how far the poller is.
func (p *poller) snapshot() event.EndpointState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position
}

// run polls until ctx ends.
func (p *poller) run(ctx context.Context) {
	label := metric.WithAttributes(endpointLabel(p.queue.Endpoint))
	p.missing.Add(ctx, 0, label) // the metric exists before an event is missing
	quiet := rate.Sometimes{First: 1, Interval: time.Minute}
	var audited time.Time
	for ctx.Err() == nil {
		pause := pollInterval
		more, err := p.poll(ctx)
		if err == nil && !more && time.Since(audited) > auditInterval {
			audited = time.Now()
			err = p.audit(ctx, label)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			quiet.Do(func() {
				p.logger.Warn("cannot look for new events now; it is tried again", "error", err, "every", troublePause)
			})
			pause = troublePause
		case more:
			continue
		}
		sleep(ctx, pause)
	}
}

// poll makes deliveries of new events, and reports whether there may be more.
func (p *poller) poll(ctx context.Context) (more bool, err error) {
	positions := p.snapshot().Positions
	ranges, err := p.store.Ranges(ctx, positions)
	if err != nil {
		return false, err
	}
	var found []event.Delivery
	var until time.Time
	positions = maps.Clone(positions)
	for i, r := range ranges {
		if i > 0 && r.Spool == ranges[i-1].Spool {
			more = true // left to the next poll
			continue
		}
		subscription := p.subscription
		if boundary := p.startedAfter[r.Spool]; r.After < boundary {
			more = more || boundary < r.Last
			subscription, r.Last = p.previous, min(r.Last, boundary)
		}
		deliveries, last, err := p.store.Follow(ctx, p.queue, subscription, r, pollLimit)
		if err != nil {
			return false, err
		}
		more = more || last < r.Last
		positions[r.Spool] = last
		found = append(found, deliveries...)
		if r.Until.After(until) {
			until = r.Until
		}
	}
	if err := p.insert(ctx, found); err != nil {
		return false, err
	}
	p.advance(positions, until)
	return more, nil
}

// audit looks for events before the position that have no delivery, which must not happen, and delivers them.
func (p *poller) audit(ctx context.Context, label metric.MeasurementOption) error {
	state := event.EndpointState{Endpoint: p.queue.Endpoint}
	copyPosition(&state, p.snapshot())
	if state.Subscription != subscriptionText(p.subscription) {
		return nil // it is changing; the next audit looks
	}
	missing, err := p.store.Missing(ctx, p.queue, state, auditWindow, pollLimit)
	if err != nil || len(missing) == 0 {
		return err
	}
	p.logger.Error("stored events had no delivery; they are delivered now",
		"events", len(missing), "first", missing[0].EventID.String())
	p.missing.Add(ctx, int64(len(missing)), label)
	return p.insert(ctx, missing)
}

// insert stores new deliveries and tells the worker. If it is unknown whether an insert worked, the next poll inserts
// the deliveries that are not stored and tells the worker of all.
func (p *poller) insert(ctx context.Context, found []event.Delivery) error {
	for _, d := range found {
		p.unannounced = earlier(p.unannounced, placeOf(d))
	}
	if err := p.store.InsertDeliveries(ctx, found); err != nil {
		return err
	}
	if p.unannounced != nil {
		p.arrived(*p.unannounced)
		p.unannounced = nil
	}
	return nil
}

// advance sets the position. A changed subscription replaces the one before it when that has no events left.
func (p *poller) advance(positions map[string]uint64, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position.Positions = positions
	if until.After(p.position.FollowedUntil) {
		p.position.FollowedUntil = until
	}
	for spool, boundary := range p.startedAfter {
		if positions[spool] < boundary {
			return
		}
	}
	p.position.Subscription = subscriptionText(p.subscription)
	p.position.StartedAfter = p.startedAfter
}

// subscriptionText returns a subscription as it is stored and compared.
func subscriptionText(s store.Subscription) string {
	text, _ := json.Marshal(s) // lists of strings cannot fail
	return string(text)
}
