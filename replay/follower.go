package replay

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/event"
	"hooktape/store"
)

const (
	// followPoll is how soon an event that was stored is seen.
	followPoll = 300 * time.Millisecond
	// An insert becomes visible some time after the stored_at of its rows, and clocks of replicas differ: each look goes
	// back a little, and now and then far.
	followOverlap     = 2 * time.Second
	followFarOverlap  = 5 * time.Minute
	followFarInterval = 15 * time.Second
	followLimit       = 5000
)

// follower finds the events that an endpoint subscribes to as they are stored, and makes a delivery of each.
//
// It goes along stored_at, with an overlap and without what has a delivery already: so an event that becomes visible
// late, or out of order, is not missed, and none has two deliveries, for a delivery's key is made of event and endpoint.
// How far it is stands in the table endpoint_states; after a crash it begins there again, minus the overlap.
type follower struct {
	store    *store.Store
	queue    store.Queue
	sub      store.Subscription
	since    time.Time    // storing time of the first event that may be delivered
	position atomic.Int64 // storing time up to which all is seen, Unix ms
	lane     *inbox
	logger   *slog.Logger
}

func (f *follower) until() time.Time { return time.UnixMilli(f.position.Load()).UTC() }

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	quiet := rate.Sometimes{First: 1, Interval: time.Minute}
	far := time.Time{} // after a start, the first look goes back far
	for ctx.Err() == nil {
		overlap := followOverlap
		if time.Since(far) > followFarInterval {
			overlap, far = followFarOverlap, time.Now()
		}
		pause := followPoll
		switch more, err := f.look(ctx, overlap); {
		case err != nil && ctx.Err() == nil:
			quiet.Do(func() {
				f.logger.Warn("cannot look for new events now; it is tried again", "error", err, "every", troublePause)
			})
			pause, far = troublePause, time.Time{}
		case more:
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// look makes deliveries of what is new, and tells whether there may be more.
func (f *follower) look(ctx context.Context, overlap time.Duration) (more bool, err error) {
	from := f.until().Add(-overlap)
	if from.Before(f.since) {
		from = f.since
	}
	found, until, err := f.store.Follow(ctx, f.queue, f.sub, from, followLimit)
	if err != nil {
		return false, err
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b event.Delivery) int { return compare(placeOf(a), placeOf(b)) })
		if err := f.store.InsertDeliveries(ctx, found); err != nil {
			f.lane.miss(placeOf(found[0])) // they may be stored all the same
			return false, err
		}
		f.lane.offer(found)
	}
	if until.After(f.until()) {
		f.position.Store(until.UnixMilli())
	}
	return len(found) == followLimit, nil
}

// placeOf is where a delivery stands in order of arrival.
func placeOf(d event.Delivery) store.Cursor {
	return store.Cursor{ReceivedAt: d.EventReceivedAt, ID: d.EventID}
}
