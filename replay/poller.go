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
	// pollInterval is how soon an event that was stored is seen.
	pollInterval = 300 * time.Millisecond
	pollLimit    = 5000
	// auditInterval is how often it is looked whether each event has its delivery, of those received within auditWindow.
	auditInterval = time.Hour
	auditWindow   = 48 * time.Hour
	// Events without numbers are looked for after an upgrade, as long as an ingest of the older version may still run; the
	// first look goes back by the overlap, because an insert may have taken long.
	unnumberedOverlap  = 5 * time.Minute
	unnumberedInterval = 15 * time.Second
	unnumberedTime     = time.Hour
)

// poller makes a delivery of each stored event that an endpoint subscribes to. It goes along the numbers that the spools
// gave the events (see store.Range): each event is seen once, in the order of its spool, whatever the clocks say.
//
// How far it is stands in the table endpoint_states. After a crash it begins there again and leaves out what has a delivery.
type poller struct {
	store  *store.Store
	queue  store.Queue
	sub    store.Subscription
	worker *worker
	untold *store.Cursor // the first of the deliveries that the worker was not woken for
	logger *slog.Logger
	*instruments
	label metric.MeasurementOption

	// before is the subscription that a changed one replaces. It holds for numbers up to those in startedAfter.
	before       store.Subscription
	startedAfter map[string]uint64
	unnumbered   *unnumbered // nil unless an older version was here before

	mu    sync.Mutex
	saved followed
}

// unnumbered is how a poller looks for events that an older version has stored, which have no numbers.
type unnumbered struct {
	from        time.Time // when the first of them was stored
	begun, last time.Time // looks
}

// followed is how far a poller is, as endpoint_states keeps it.
type followed struct {
	subscription            string // store.Subscription as JSON; "" for one that has no numbers yet
	startedAfter, positions map[string]uint64
	since, until            time.Time
}

// snapshot returns how far the poller is; its maps are not changed any more.
func (f *poller) snapshot() followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saved
}

// run follows until ctx ends.
func (f *poller) run(ctx context.Context) {
	f.missing.Add(ctx, 0, f.label) // it is shown before there is any
	quiet := rate.Sometimes{First: 1, Interval: time.Minute}
	var audited time.Time
	for ctx.Err() == nil {
		pause := pollInterval
		more, err := f.look(ctx)
		if err == nil && !more && time.Since(audited) > auditInterval {
			audited = time.Now()
			err = f.audit(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			quiet.Do(func() {
				f.logger.Warn("cannot look for new events now; it is tried again", "error", err, "every", troublePause)
			})
			pause = troublePause
		case more:
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// look makes deliveries of what is new, and reports whether there may be more.
func (f *poller) look(ctx context.Context) (more bool, err error) {
	if f.unnumbered != nil && time.Since(f.unnumbered.last) > unnumberedInterval {
		return f.lookAtUnnumbered(ctx)
	}
	positions := f.snapshot().positions
	ranges, err := f.store.Ranges(ctx, positions)
	if err != nil {
		return false, err
	}
	var found []event.Delivery
	positions = maps.Clone(positions)
	until := time.Time{}
	for i, r := range ranges {
		if i > 0 && r.Spool == ranges[i-1].Spool {
			more = true // the next look takes it
			continue
		}
		sub := f.sub
		if boundary := f.startedAfter[r.Spool]; r.After < boundary {
			more = more || boundary < r.Last
			sub, r.Last = f.before, min(r.Last, boundary)
		}
		deliveries, last, err := f.store.Follow(ctx, f.queue, sub, r, pollLimit)
		if err != nil {
			return false, err
		}
		more = more || last < r.Last
		found, positions[r.Spool] = append(found, deliveries...), last
		if r.Until.After(until) {
			until = r.Until
		}
	}
	if err := f.hand(ctx, found); err != nil {
		return false, err
	}
	f.moved(positions, until)
	return more, nil
}

// audit looks for events that were followed and have no delivery, which must not be, and makes one for each.
func (f *poller) audit(ctx context.Context) error {
	state := f.state(event.EndpointState{Endpoint: f.queue.Endpoint})
	if state.Subscription != subscriptionText(f.sub) {
		return nil // it is changing; the next audit looks
	}
	missing, err := f.store.Missing(ctx, f.queue, state, auditWindow, pollLimit)
	if err != nil || len(missing) == 0 {
		return err
	}
	f.logger.Error("stored events had no delivery; they are delivered now", "events", len(missing), "first", missing[0].EventID.String())
	f.missing.Add(ctx, int64(len(missing)), f.label)
	return f.hand(ctx, missing)
}

// hand stores new deliveries and wakes the worker. If it cannot be told whether they are stored, the next look finds those that are
// not, and the worker is woken then.
func (f *poller) hand(ctx context.Context, found []event.Delivery) error {
	for _, d := range found {
		f.untold = earlier(f.untold, placeOf(d))
	}
	if err := f.store.InsertDeliveries(ctx, found); err != nil {
		return err
	}
	if f.untold != nil {
		f.worker.arrived(*f.untold)
		f.untold = nil
	}
	return nil
}

// moved notes new positions. A changed subscription is noted when all that the one before it has to get is found.
func (f *poller) moved(positions map[string]uint64, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved.positions = positions
	if until.After(f.saved.until) {
		f.saved.until = until
	}
	if f.unnumbered != nil {
		return
	}
	for spool, boundary := range f.startedAfter {
		if positions[spool] < boundary {
			return
		}
	}
	f.saved.subscription, f.saved.startedAfter = subscriptionText(f.sub), f.startedAfter
}

// lookAtUnnumbered finds what an older version has stored and had not come to when it ended, or stores still.
func (f *poller) lookAtUnnumbered(ctx context.Context) (more bool, err error) {
	found, err := f.store.FollowUnnumbered(ctx, f.queue, f.sub, f.unnumbered.from, pollLimit)
	if err == nil {
		err = f.hand(ctx, found)
	}
	if err == nil && len(found) < pollLimit {
		f.unnumbered.last = time.Now()
		if time.Since(f.unnumbered.begun) > unnumberedTime {
			f.unnumbered = nil
		}
	}
	return true, err
}

// subscriptionText is how a subscription is kept and compared.
func subscriptionText(s store.Subscription) string {
	text, _ := json.Marshal(s) // lists of strings always can be
	return string(text)
}
