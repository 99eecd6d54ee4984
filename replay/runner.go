package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// Options are the runner's settings.
type Options struct {
	// AllowPrivate lets replays to a URL, rather than to a configured endpoint, go to loopback, private and link-local
	// addresses, unless they are event.Replay.PublicOnly.
	AllowPrivate bool
	// Own are hooktape's own addresses, where nothing is sent.
	Own *outbound.OwnAddresses
}

const (
	// reconcileInterval is how soon a new replay, a command or a changed endpoint takes effect.
	reconcileInterval = 500 * time.Millisecond
	// flushGrace is how long the last outcomes may take to ClickHouse.
	flushGrace = 2 * time.Second
)

// Runner delivers: live events to the endpoints that subscribe to them, and replays.
//
// Twice a second it reconciles the running workers with those that should run: one for each endpoint that subscribes to
// something and one for each running replay. Only the configuration and ClickHouse decide what should run. So a crash,
// a pause and a changed configuration end in the same way: by the next reconcile.
type Runner struct {
	options  Options
	store    *store.Store
	recorder *Recorder
	lease    *lease
	logger   *slog.Logger
	*instruments

	endpoints atomic.Pointer[[]Endpoint]
	failing   atomic.Pointer[error]       // of the last reconcile
	observed  atomic.Pointer[observation] // by the last reconcile

	targets map[string]*target // of the endpoints in use, by [targetKey]
	quiet   rate.Sometimes     // limits a log line: a fault of the configuration lasts until it changes
	states  *endpointStates
	replays *replays

	steering     map[string]store.Steered // as last read
	steeringMark store.CommandsMark

	workers map[store.Queue]*worker // only reconcile uses them
	running sync.WaitGroup
	mu      sync.Mutex
	ended   []*worker     // not yet removed from workers
	wake    chan struct{} // has an element when a worker has ended
}

// errNotBegun is why a new runner is failing. Its first reconcile needs the tables.
var errNotBegun = errors.New("delivery has not begun: ClickHouse or its tables are not there yet")

// NewRunner returns a runner, which does nothing until Run.
func NewRunner(o Options, endpoints []Endpoint, db *store.Store, recorder *Recorder, logger *slog.Logger) *Runner {
	r := &Runner{
		options: o, store: db, recorder: recorder, logger: logger, instruments: newInstruments(),
		lease:   newLease(db, recorder.spool.ID(), logger),
		targets: map[string]*target{}, quiet: rate.Sometimes{First: 1, Interval: time.Minute},
		states:  &endpointStates{store: db},
		replays: &replays{store: db, recorder: recorder, logger: logger},
		workers: map[store.Queue]*worker{}, wake: make(chan struct{}, 1),
	}
	r.replays.reset()
	r.failing.Store(&errNotBegun)
	r.observed.Store(&observation{})
	r.SetEndpoints(endpoints)
	return r
}

// SetEndpoints takes changed endpoints into use: within a second, without a restart.
func (r *Runner) SetEndpoints(list []Endpoint) {
	r.states.known.update(list)
	r.endpoints.Store(&list)
}

// Failing returns why the runner cannot find out what to deliver, or nil. Before the first reconcile it is an error,
// too.
func (r *Runner) Failing() error {
	if err := *r.failing.Load(); err != nil {
		return err
	}
	return r.recorder.Failing()
}

// Run delivers until ctx ends. The outcome of everything sent is recorded before it returns.
func (r *Runner) Run(ctx context.Context) error {
	// The outcomes of the previous process must be in ClickHouse before this process reads the open deliveries there.
	if err := r.recorder.Flush(ctx); err != nil {
		return nil
	}
	defer observe(r.observed.Load)()
	var renewing sync.WaitGroup
	renewing.Go(func() { r.lease.run(ctx) })
	tick := time.NewTicker(reconcileInterval)
	defer tick.Stop()
	for {
		err := r.reconcile(ctx)
		if ctx.Err() != nil {
			break
		}
		r.failing.Store(&err)
		select {
		case <-r.wake:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	// 1. The workers, whose context has ended, finish. 2. The lease is no longer renewed. 3. It is released.
	r.running.Wait()
	r.keepTargets(nil)
	renewing.Wait()
	r.releaseLease(ctx)
	return nil
}

// releaseLease lets another process deliver, if all outcomes are in ClickHouse, from which that process reads the open
// deliveries.
func (r *Runner) releaseLease(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	if r.recorder.Flush(ctx) == nil {
		r.lease.release()
	}
}

// reconcile starts the workers that should run and stops those that should not: all of them while another process has
// the lease.
func (r *Runner) reconcile(ctx context.Context) error {
	r.removeEnded()
	if err := r.lease.state(); err != nil {
		r.replays.reset()
		r.states.reset()
		r.observed.Store(&observation{})
		return errors.Join(err, r.reconcileWorkers(ctx, nil))
	}
	if err := r.readCommands(ctx); err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	endpoints := *r.endpoints.Load()
	r.updateTargets(endpoints)
	running, err := r.replays.update(ctx, func(q store.Queue) bool { return r.workers[q] != nil })
	if err != nil {
		return fmt.Errorf("update replays: %w", err)
	}
	r.observe(endpoints)
	if err := r.reconcileWorkers(ctx, r.wanted(endpoints, running)); err != nil {
		return err
	}
	if err := r.retryNow(ctx, r.steering); err != nil {
		return err
	}
	return r.states.update(ctx, r.withAdHoc(endpoints), r.targetOf, r.pollerOf)
}

// readCommands reads the commands again when their mark has changed. A replica that lags has another mark, so they are
// read until both agree.
func (r *Runner) readCommands(ctx context.Context) error {
	mark, err := r.store.CommandsMark(ctx)
	if err != nil || r.steering != nil && mark == r.steeringMark {
		return err
	}
	steering, mark, err := r.store.Steering(ctx)
	if err == nil {
		r.steering, r.steeringMark = steering, mark
	}
	return err
}

// updateTargets makes targets of the configured endpoints, drops those that nothing needs, and pauses and resumes as
// people have asked.
func (r *Runner) updateTargets(endpoints []Endpoint) {
	needed := map[string]bool{}
	for _, e := range endpoints {
		needed[targetKey(&e)] = true
		r.target(e)
	}
	for _, w := range r.workers {
		needed[targetKey(&w.config.endpoint)] = true
	}
	r.keepTargets(needed)
	for _, t := range r.steer(r.steering) {
		for _, w := range r.workers {
			if targetKey(&w.config.endpoint) == targetKey(&t.Endpoint) {
				w.resume(t.resumedAt)
			}
		}
		r.states.checked = time.Time{} // the new state is written now
	}
}

// wanted returns the workers that should run.
func (r *Runner) wanted(endpoints []Endpoint, running []event.Replay) (list []workerConfig) {
	for _, e := range endpoints {
		if e.Subscribe != nil {
			list = append(list, workerConfig{queue: store.Queue{Endpoint: e.Name}, endpoint: e,
				retry: e.Retry, rate: e.Rate, concurrency: e.Concurrency, order: e.Order})
		}
	}
	for _, replay := range running {
		c, err := r.replayConfig(endpoints, replay)
		if err != nil {
			r.replays.halted[replay.ID] = err.Error() // its endpoint is gone
			continue
		}
		list = append(list, c)
	}
	return list
}

func (r *Runner) replayConfig(endpoints []Endpoint, replay event.Replay) (workerConfig, error) {
	url := "" // a configured endpoint is found by its name, even if its URL has changed
	if strings.Contains(replay.Endpoint, "://") {
		url = replay.URL
	}
	e, err := findEndpoint(endpoints, r.options.AllowPrivate, replay.Endpoint, url)
	if err != nil {
		return workerConfig{}, err
	}
	e.Name = replay.Endpoint // an older version may have named the same URL otherwise
	if replay.PublicOnly {
		e = e.toPublic()
	}
	retry := e.Retry
	if replay.MaxAttempts > 0 {
		retry.MaxAttempts = int(replay.MaxAttempts)
	}
	if replay.Retry == event.RetryNone {
		retry.MaxAttempts = 1
	}
	return workerConfig{queue: queueOf(replay), endpoint: e, headers: replay.Headers, retry: retry,
		rate: replay.Rate, concurrency: int(max(replay.Concurrency, 1)), order: replay.Order, pace: replay.Pace,
		stopAfterFailures: replay.StopAfterFailures}, nil
}

// reconcileWorkers starts the wanted workers that do not run, and stops the others.
func (r *Runner) reconcileWorkers(ctx context.Context, wanted []workerConfig) error {
	want := map[store.Queue]bool{}
	for _, c := range wanted {
		want[c.queue] = true
		w := r.workers[c.queue]
		switch {
		case w == nil:
			if err := r.start(ctx, c); err != nil {
				return err
			}
		case !w.config.equalButRate(c):
			w.stop() // a later reconcile starts the new one
		default:
			w.setRate(c.rate)
		}
	}
	for queue, w := range r.workers {
		if !want[queue] {
			w.stop()
		}
	}
	return nil
}

// start starts a worker.
func (r *Runner) start(ctx context.Context, c workerConfig) error {
	target := r.target(c.endpoint)
	if target == nil {
		return nil
	}
	logger := r.logger.With("endpoint", endpointLabel(c.queue.Endpoint).Value.AsString())
	if c.isReplay() {
		logger = logger.With("replay_id", c.queue.ReplayID.String())
	}
	sender := sender{target: target, instruments: r.instruments, recorder: r.recorder, headers: c.headers,
		retry: c.retry}
	w := newWorker(r.store, sender, c, logger)
	w.mayDeliver = r.lease.held
	if !c.isReplay() {
		poller, err := r.states.newPoller(ctx, c.endpoint, logger, r.instruments)
		if err != nil {
			return err
		}
		poller.arrived = w.arrived
		w.poller = poller
	}
	if !target.resumedAt.IsZero() {
		w.resume(target.resumedAt)
	}
	ctx, w.stop = context.WithCancel(ctx)
	r.workers[c.queue] = w
	logger.Info("delivery begins")
	r.running.Go(func() {
		defer w.stop()
		w.run(ctx)
		if w.failed != nil {
			sleep(ctx, troublePause) // before another worker tries
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, w)
		select {
		case r.wake <- struct{}{}:
		default:
		}
	})
	return nil
}

// removeEnded removes the workers that have ended.
func (r *Runner) removeEnded() {
	r.mu.Lock()
	ended := r.ended
	r.ended = nil
	r.mu.Unlock()
	for _, w := range ended {
		delete(r.workers, w.config.queue)
		r.workerEnded(w)
	}
}

// workerEnded does what the end of a worker asks for.
func (r *Runner) workerEnded(w *worker) {
	id := w.config.queue.ReplayID
	switch {
	case w.failed != nil: // a later reconcile starts another
	case w.halted != "":
		// The last answer may quote the request, so it is not logged.
		w.logger.Warn("the replay pauses itself, as its stop rule says; `hooktape replay status` shows the last answer")
		r.replays.halted[id] = w.halted
	case w.done:
		r.replays.done[id] = true
	default:
		w.logger.Info("delivery stops; it goes on where it was")
	}
}

// retryMemory is how long a worker remembers the retry commands that it has carried out: longer than the day for which
// Steering returns them, because the clocks may differ.
const retryMemory = 25 * time.Hour

// retryNow carries out new commands to try deliveries now. A process that starts, or takes over, carries out those of
// a day: a command does not concern deliveries that were tried after it.
func (r *Runner) retryNow(ctx context.Context, steering map[string]store.Steered) error {
	for _, w := range r.workers {
		target := w.config.queue.Endpoint
		if w.config.isReplay() {
			target = w.config.queue.ReplayID.String()
		}
		maps.DeleteFunc(w.retried, func(key uint64, at time.Time) bool {
			return time.Since(at) > retryMemory && !slices.Contains(steering[target].Retries, key)
		})
		keys := slices.DeleteFunc(slices.Clone(steering[target].Retries), func(key uint64) bool {
			_, known := w.retried[key]
			return known
		})
		if len(keys) == 0 {
			continue
		}
		commands, err := r.store.RetryCommands(ctx, target, keys)
		if err != nil {
			return fmt.Errorf("read commands: %w", err)
		}
		for _, c := range commands {
			w.retried[c.Key] = time.Now()
			if time.Since(c.At) < leaseTime { // not one that an earlier worker has carried out
				w.sender.ProbeNow(time.Now())
			}
			w.retry(c)
		}
	}
	return nil
}

// withAdHoc adds the endpoints of running replays to a URL to the configured ones.
func (r *Runner) withAdHoc(endpoints []Endpoint) []Endpoint {
	all := slices.Clone(endpoints)
	for _, w := range r.workers {
		e := w.config.endpoint
		if e.isAdHoc() && !slices.ContainsFunc(all, func(other Endpoint) bool { return other.Name == e.Name }) {
			all = append(all, e)
		}
	}
	return all
}

// targetOf returns the target of an endpoint; nil if none.
func (r *Runner) targetOf(e Endpoint) *target { return r.targets[targetKey(&e)] }

// pollerOf returns the running poller of an endpoint; nil if none.
func (r *Runner) pollerOf(e Endpoint) *poller {
	if w := r.workers[store.Queue{Endpoint: e.Name}]; w != nil {
		return w.poller
	}
	return nil
}
