package replay

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

type workerID struct {
	replay   uuid.UUID // zero: live
	endpoint string
}

// track is a worker that runs, and what it was made of.
type track struct {
	plan     plan
	worker   *worker
	poller   *poller // of a live worker
	stop     context.CancelFunc
	stopping bool
}

// plan is a worker as it should be. One that differs in anything but the rate is another worker.
type plan struct {
	id       workerID
	endpoint Endpoint
	spec     workerSpec
	headers  []event.Header
	retry    RetryPolicy
	rate     float64
}

func (p plan) same(other plan) bool {
	p.rate = other.rate
	return reflect.DeepEqual(p, other)
}

type endedWorker struct {
	id workerID
	ending
}

// live plans the workers of endpoints that subscribe to something.
func (r *Runner) live() (plans []plan) {
	for _, e := range *r.endpoints.Load() {
		if e.Subscribe != nil {
			plans = append(plans, plan{id: workerID{endpoint: e.Name}, endpoint: e, retry: e.Retry, rate: e.Rate,
				spec: workerSpec{Concurrency: e.Concurrency, Order: e.Order}})
		}
	}
	return plans
}

// reconcile starts the workers that should run and do not, and stops those that run and should not.
func (r *Runner) reconcile(ctx context.Context, wanted []plan) error {
	want := map[workerID]bool{}
	for _, p := range wanted {
		want[p.id] = true
		t := r.workers[p.id]
		switch {
		case t == nil:
			if err := r.start(ctx, p); err != nil {
				return err
			}
		case !t.plan.same(p):
			r.stop(t) // it is started anew when it has ended
		default:
			t.worker.setRate(p.rate)
		}
	}
	for id, t := range r.workers {
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
	out := sender{target: target, instruments: r.instruments, recorder: r.recorder, headers: p.headers, retry: p.retry, held: r.lease.held}
	t := &track{plan: p, worker: newWorker(r.store, queue, out, p.spec, p.rate, log)}
	if !p.spec.Replay {
		var err error
		if t.poller, err = r.newPoller(ctx, queue, p.endpoint, t.worker, log); err != nil {
			return err
		}
	}
	if !target.resumedAt.IsZero() {
		t.worker.resume(target.resumedAt)
	}
	delete(r.jobs.notBefore, p.id)
	ctxOfWorker, stop := context.WithCancel(ctx)
	t.stop = stop
	r.mu.Lock()
	r.workers[p.id] = t
	r.mu.Unlock()
	log.Info("delivery begins")
	r.running.Go(func() {
		var following sync.WaitGroup
		if t.poller != nil {
			following.Go(func() { t.poller.run(ctxOfWorker) })
		}
		e := t.worker.run(ctxOfWorker)
		stop()
		following.Wait()
		r.ended <- endedWorker{p.id, e}
	})
	return nil
}

// lost takes away a worker that has ended, and does what follows.
func (r *Runner) lost(e endedWorker) {
	t := r.remove(e.id)
	switch {
	case e.err != nil:
		t.worker.logger.Error("what was sent cannot be noted on disk; delivery goes on when it can", "error", e.err)
		r.jobs.notBefore[e.id] = time.Now().Add(troublePause)
	case e.halted != "":
		t.worker.logger.Warn("the replay pauses itself, as its stop rule says; `hooktape replay status` tells the last answer") // which may quote what was sent
		r.jobs.halted[e.id.replay] = e.halted
	case e.done:
		r.jobs.done[e.id.replay] = true
	default:
		t.worker.logger.Info("delivery stops; it goes on where it was")
	}
}

func (r *Runner) remove(id workerID) *track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.workers[id]
	delete(r.workers, id)
	return t
}
