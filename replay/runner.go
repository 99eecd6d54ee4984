package replay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// Options are the runner's settings.
type Options struct {
	// AllowPrivate lets deliveries go to loopback, private and link-local addresses.
	AllowPrivate bool
}

// pollInterval is how soon a new replay, or a change to one, is seen.
const pollInterval = 500 * time.Millisecond

// maxReplays is how many replays run at once; more than anyone makes.
const maxReplays = 10_000

// troublePause is how long a job waits after an error that is not an endpoint's.
const troublePause = 2 * time.Second

// Runner works off the replays that are running.
type Runner struct {
	store        *store.Store
	recorder     *Recorder
	client       *http.Client
	allowPrivate bool
	logger       *slog.Logger
	*instruments

	failing atomic.Pointer[error]
}

// NewRunner makes a runner; it does nothing until Run.
func NewRunner(o Options, db *store.Store, recorder *Recorder, logger *slog.Logger) *Runner {
	client, _ := newClient(AdHoc("", o.AllowPrivate)) // it names no file that could fail
	return &Runner{store: db, recorder: recorder, client: client, allowPrivate: o.AllowPrivate, logger: logger, instruments: newInstruments()}
}

// Failing returns why replays cannot be looked for now; nil when they can.
func (r *Runner) Failing() error {
	if err := r.failing.Load(); err != nil {
		return *err
	}
	return r.recorder.Failing()
}

// Run starts a job for each running replay and stops it when the replay is paused or cancelled, until ctx ends and all
// jobs with it. What a job has sent is noted before Run returns.
func (r *Runner) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	// What the last process noted must be in ClickHouse before anyone reads there what is still to be sent.
	if err := r.recorder.Flush(ctx); err != nil {
		return nil
	}
	jobs := map[uuid.UUID]context.CancelFunc{}
	ended := make(chan uuid.UUID)
	var running sync.WaitGroup
	defer running.Wait()
	stopped := make(chan struct{})
	defer close(stopped)

	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		wanted, err := r.store.Replays(ctx, maxReplays, event.ReplayRunning)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			err = fmt.Errorf("look for replays: %w", err)
			r.failing.Store(&err)
		} else {
			r.failing.Store(nil)
			r.reconcile(ctx, wanted, jobs, func(replay event.Replay, ctx context.Context) {
				running.Go(func() {
					r.work(ctx, replay)
					select {
					case ended <- replay.ID:
					case <-stopped:
					}
				})
			})
		}
		select {
		case id := <-ended:
			jobs[id]()
			delete(jobs, id)
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// reconcile starts the jobs that are wanted and not there, and stops those that are there and not wanted.
func (r *Runner) reconcile(ctx context.Context, wanted []event.Replay, jobs map[uuid.UUID]context.CancelFunc, start func(event.Replay, context.Context)) {
	want := map[uuid.UUID]bool{}
	for _, replay := range wanted {
		want[replay.ID] = true
		if _, there := jobs[replay.ID]; !there {
			jobCtx, cancel := context.WithCancel(ctx)
			jobs[replay.ID] = cancel
			start(replay, jobCtx)
		}
	}
	for id, cancel := range jobs {
		if !want[id] {
			cancel() // its end comes over the channel
		}
	}
}

// work runs one job to its end, or until ctx ends.
func (r *Runner) work(ctx context.Context, replay event.Replay) {
	log := r.logger.With("replay_id", replay.ID, "endpoint", replay.Endpoint)
	log.Info("replay runs", "events", replay.Total)
	err := newJob(r, replay).run(ctx)
	switch {
	case ctx.Err() != nil:
		log.Info("replay stops here; it goes on when it is resumed")
	case err != nil:
		log.Error("replay cannot go on now; it is tried again", "error", err, "in", troublePause)
		select {
		case <-time.After(troublePause):
		case <-ctx.Done():
		}
	default:
		log.Info("replay is done")
	}
}
