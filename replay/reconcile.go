package replay

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

type laneID struct {
	replay   uuid.UUID // zero: live
	endpoint string
}

// track is a lane that is there, and what it was made of.
type track struct {
	plan     plan
	lane     *lane
	follower *follower // of a live lane
	stop     context.CancelFunc
	stopping bool
}

// plan is a lane as it should be. One that differs in anything but the rate is another lane.
type plan struct {
	id       laneID
	endpoint Endpoint
	spec     laneSpec
	headers  []event.Header
	retry    RetryPolicy
	rate     float64
}

func (p plan) same(other plan) bool {
	p.rate = other.rate
	return reflect.DeepEqual(p, other)
}

type endedLane struct {
	id laneID
	ending
}

// live plans the lanes of endpoints that subscribe to something.
func (r *Runner) live() (plans []plan) {
	for _, e := range *r.endpoints.Load() {
		if e.Subscribe != nil {
			plans = append(plans, plan{id: laneID{endpoint: e.Name}, endpoint: e, retry: e.Retry, rate: e.Rate,
				spec: laneSpec{Concurrency: e.Concurrency, Order: e.Order}})
		}
	}
	return plans
}

// reconcile starts the lanes that should be there and are not, and stops those that are there and should not.
func (r *Runner) reconcile(ctx context.Context, wanted []plan) error {
	want := map[laneID]bool{}
	for _, p := range wanted {
		want[p.id] = true
		t := r.lanes[p.id]
		switch {
		case t == nil:
			if err := r.start(ctx, p); err != nil {
				return err
			}
		case !t.plan.same(p):
			r.stop(t) // it is started anew when it has ended
		default:
			t.lane.setRate(p.rate)
		}
	}
	for id, t := range r.lanes {
		if !want[id] {
			r.stop(t)
		}
	}
	return nil
}

func (r *Runner) stop(t *track) {
	if !t.stopping {
		t.stopping = true
		t.stop()
	}
}

func (r *Runner) start(ctx context.Context, p plan) error {
	target := r.target(p.endpoint)
	if target == nil || time.Now().Before(r.jobs.notBefore[p.id]) {
		return nil
	}
	log := r.logger.With("endpoint", endpointLabel(p.id.endpoint).Value.AsString())
	if p.spec.Replay {
		log = log.With("replay_id", p.id.replay.String())
	}
	queue := store.Queue{ReplayID: p.id.replay, Endpoint: p.id.endpoint}
	out := sender{target: target, instruments: r.instruments, recorder: r.recorder, headers: p.headers, secret: secretHeaders(p.endpoint.Headers, p.headers), retry: p.retry, held: r.lease.held}
	t := &track{plan: p, lane: newLane(r.store, queue, out, p.spec, p.rate, log)}
	if !p.spec.Replay {
		var err error
		if t.follower, err = r.newFollower(ctx, queue, p.endpoint, &t.lane.inbox, log); err != nil {
			return err
		}
	}
	if !target.resumedAt.IsZero() {
		t.lane.inbox.resume(target.resumedAt)
	}
	delete(r.jobs.notBefore, p.id)
	laneCtx, stop := context.WithCancel(ctx)
	t.stop = stop
	r.mu.Lock()
	r.lanes[p.id] = t
	r.mu.Unlock()
	log.Info("delivery begins")
	r.running.Go(func() {
		var following sync.WaitGroup
		if t.follower != nil {
			following.Go(func() { t.follower.run(laneCtx) })
		}
		e := t.lane.run(laneCtx)
		stop()
		following.Wait()
		r.ended <- endedLane{p.id, e}
	})
	return nil
}

// lost takes away a lane that has ended, and does what follows.
func (r *Runner) lost(e endedLane) {
	t := r.remove(e.id)
	switch {
	case e.err != nil:
		t.lane.logger.Error("what was sent cannot be noted on disk; delivery goes on when it can", "error", e.err)
		r.jobs.notBefore[e.id] = time.Now().Add(troublePause)
	case e.halted != "":
		t.lane.logger.Warn("the replay pauses itself, as its stop rule says; `hooktape replay status` tells the last answer") // which may quote what was sent
		r.jobs.halted[e.id.replay] = e.halted
	case e.done:
		r.jobs.done[e.id.replay] = true
	default:
		t.lane.logger.Info("delivery stops; it goes on where it was")
	}
}

func (r *Runner) remove(id laneID) *track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.lanes[id]
	delete(r.lanes, id)
	return t
}

// settle tells the lanes which of their deliveries have come to ClickHouse in a final state.
func (r *Runner) settle(deliveries []event.Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	touched := map[*inbox]bool{}
	for _, d := range deliveries {
		if t := r.lanes[laneID{d.ReplayID, d.Endpoint}]; t != nil && d.State.Final() {
			t.lane.inbox.settle(d.EventID)
			touched[&t.lane.inbox] = true
		}
	}
	for in := range touched {
		in.wake()
	}
}
