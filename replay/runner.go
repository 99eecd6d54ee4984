package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// Options are the runner's settings.
type Options struct {
	// AllowPrivate lets replays to a URL, in place of a configured endpoint, go to loopback, private and link-local
	// addresses, unless they are event.Replay.PublicOnly.
	AllowPrivate bool
	// Own is hooktape itself, where nothing is sent.
	Own *outbound.OwnAddresses
}

// lookInterval is how soon a new replay, a command or a changed endpoint is seen.
const lookInterval = 500 * time.Millisecond

// Runner delivers: live events to the endpoints that subscribe to them, and replays.
//
// It compares, twice a second, the workers that should be there with those that are: one for each endpoint that subscribes
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
	known     known
	failing   atomic.Pointer[error]       // of the last look
	observed  atomic.Pointer[observation] // nil while another process delivers
	quiet     rate.Sometimes              // for faults of the configuration, which stay until it is changed

	mu      sync.Mutex // workers are read by the metrics
	workers map[workerID]*track
	targets map[string]*target // by targetKey
	jobs    jobs
	states  endpointStates
	ended   chan endedWorker
	running sync.WaitGroup
}

// NewRunner makes a runner; it does nothing until Run.
func NewRunner(o Options, endpoints []Endpoint, db *store.Store, recorder *Recorder, logger *slog.Logger) *Runner {
	r := &Runner{options: o, store: db, recorder: recorder, logger: logger, instruments: newInstruments(),
		workers: map[workerID]*track{}, targets: map[string]*target{}, jobs: newJobs(), ended: make(chan endedWorker),
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}}
	r.lease = newLease(db, recorder.spool.ID(), logger)
	r.failing.Store(&errNotBegun)
	r.SetEndpoints(endpoints)
	return r
}

// errNotBegun is why a runner is failing that has not looked yet. It looks when the tables are there.
var errNotBegun = errors.New("delivery has not begun: ClickHouse or its tables are not there yet")

// SetEndpoints takes changed endpoints into use: within a second, without a restart.
func (r *Runner) SetEndpoints(list []Endpoint) {
	r.known.update(list)
	r.endpoints.Store(&list)
}

// Failing returns why it cannot be seen now what is to be delivered; nil when it can. Before the first look that is not known,
// which is an error too.
func (r *Runner) Failing() error {
	if err := *r.failing.Load(); err != nil {
		return err
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
		r.failing.Store(&err)
		select {
		case e := <-r.ended:
			r.lost(e)
			r.loseOthers()
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// loseOthers takes in the other workers that have ended by now: one look serves them all, and with many replays a look takes its time.
func (r *Runner) loseOthers() {
	for {
		select {
		case e := <-r.ended:
			r.lost(e)
		default:
			return
		}
	}
}

// handOver releases the lease, if everything known here is in ClickHouse: there another process reads what is still to be sent.
func (r *Runner) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	if r.recorder.Flush(ctx) == nil {
		r.lease.release()
	}
}

// flushGrace is how long the last outcomes may take to ClickHouse.
const flushGrace = 2 * time.Second

// end waits for all workers, whose context has ended.
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

// look brings what is there to what should be there: nothing, while another process holds the lease.
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
	replays, err := r.replays(ctx)
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
