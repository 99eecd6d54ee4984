package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"hooktape/event"
	"hooktape/store"
)

// Options are the runner's settings.
type Options struct {
	// AllowPrivate lets replays to a URL, in place of a configured endpoint, go to loopback, private and link-local
	// addresses.
	AllowPrivate bool
	// Shard is this process's part of the subscribers.
	Shard store.Shard
}

// lookInterval is how soon a new replay, a command or a changed endpoint is seen.
const lookInterval = 500 * time.Millisecond

// Runner delivers: live events to the endpoints that subscribe to them, and replays.
//
// It compares, twice a second, the lanes that should be there with those that are: one for each endpoint that subscribes
// to something and one for each running replay. What should be there stands in the configuration and in ClickHouse alone,
// so that a crash, a pause and a changed configuration all end in the same way: by looking again.
type Runner struct {
	options  Options
	store    *store.Store
	recorder *Recorder
	lease    *lease
	logger   *slog.Logger
	*instruments

	endpoints atomic.Pointer[[]Endpoint]
	failing   atomic.Pointer[error]
	observed  atomic.Pointer[observation] // nil while another process delivers
	quiet     rate.Sometimes              // for faults of the configuration, which stay until it is changed

	mu      sync.Mutex // lanes are read by the recorder
	lanes   map[laneID]*track
	targets map[string]*target // by endpoint's name
	jobs    jobs
	states  endpointStates
	ended   chan endedLane
	running sync.WaitGroup
}

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

// NewRunner makes a runner; it does nothing until Run.
func NewRunner(o Options, endpoints []Endpoint, db *store.Store, recorder *Recorder, logger *slog.Logger) *Runner {
	o.Shard = cmp.Or(o.Shard, store.Shard{Index: 1, Count: 1})
	r := &Runner{options: o, store: db, recorder: recorder, logger: logger, instruments: newInstruments(),
		lanes: map[laneID]*track{}, targets: map[string]*target{}, jobs: newJobs(), ended: make(chan endedLane),
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}}
	r.lease = newLease(db, o.Shard.String(), recorder.spool.ID(), logger)
	r.SetEndpoints(endpoints)
	recorder.onStored(r.settle)
	return r
}

// SetEndpoints takes changed endpoints into use: within a second, without a restart.
func (r *Runner) SetEndpoints(list []Endpoint) { r.endpoints.Store(&list) }

// Failing returns why it cannot be seen now what is to be delivered; nil when it can.
func (r *Runner) Failing() error {
	if err := r.failing.Load(); err != nil {
		return *err
	}
	return r.recorder.Failing()
}

// Run delivers until ctx ends. What has been sent is noted before it returns.
func (r *Runner) Run(ctx context.Context) error {
	// What the last process noted must be in ClickHouse before anyone reads there what is still to be sent.
	if err := r.recorder.Flush(ctx); err != nil {
		return nil
	}
	defer r.observe()()
	var renewing sync.WaitGroup
	renewing.Go(func() { r.lease.run(ctx) })
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		err := r.look(ctx)
		if ctx.Err() != nil {
			r.end()
			renewing.Wait()
			r.handOver(ctx)
			return nil
		}
		r.failing.Store(nil)
		if err != nil {
			r.failing.Store(&err)
		}
		select {
		case e := <-r.ended:
			r.lost(e)
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// handOver lets another process have the shard at once, if all that is known here is in ClickHouse: there the other reads
// what is still to be sent.
func (r *Runner) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	if r.recorder.Flush(ctx) == nil {
		r.lease.release()
	}
}

// flushGrace is how long the last outcomes may take to ClickHouse.
const flushGrace = 2 * time.Second

// end waits for all lanes, whose context has ended.
func (r *Runner) end() {
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	for {
		select {
		case e := <-r.ended:
			r.remove(e.id)
		case <-done:
			for _, t := range r.targets {
				t.client.CloseIdleConnections()
			}
			return
		}
	}
}

// look brings what is there to what should be there: nothing, while another process holds this shard.
func (r *Runner) look(ctx context.Context) error {
	if err := r.lease.state(); err != nil {
		// What another process changes meanwhile must be read anew.
		r.jobs, r.states = newJobs(), endpointStates{}
		r.observed.Store(nil)
		return errors.Join(err, r.reconcile(ctx, nil))
	}
	steering, err := r.store.Steering(ctx)
	if err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	r.refreshTargets(steering)
	wanted := r.live()
	replays, err := r.replays(ctx, steering)
	if err != nil {
		return fmt.Errorf("look for replays: %w", err)
	}
	wanted = append(wanted, replays...)
	r.observeAt()
	if err := r.reconcile(ctx, wanted); err != nil {
		return err
	}
	return r.saveStates(ctx)
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
			t.lane.setRate(p.rate / float64(r.options.Shard.Count))
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
	queue := store.Queue{ReplayID: p.id.replay, Endpoint: p.id.endpoint, Shard: r.options.Shard}
	out := sender{target: target, instruments: r.instruments, recorder: r.recorder, headers: p.headers, retry: p.retry, held: r.lease.held}
	t := &track{plan: p, lane: newLane(r.store, queue, out, p.spec, p.rate/float64(r.options.Shard.Count), log)}
	if !p.spec.Replay {
		var err error
		if t.follower, err = r.newFollower(ctx, queue, p.endpoint, &t.lane.inbox, log); err != nil {
			return err
		}
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
