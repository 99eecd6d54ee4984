package replay

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// progressInterval is how often a running replay's counts are written.
const progressInterval = 2 * time.Second

// jobs is what the runner remembers of replays between two looks.
type jobs struct {
	halted    map[uuid.UUID]string   // why the worker has stopped itself, until that is a command
	done      map[uuid.UUID]bool     // the worker has found nothing left
	notBefore map[workerID]time.Time // when a worker may be started again
	progress  map[uuid.UUID]noted    // what was written last
}

// noted is a replay as its progress was written, and when that was.
type noted struct {
	event.Replay
	at time.Time
}

func newJobs() jobs {
	return jobs{halted: map[uuid.UUID]string{}, done: map[uuid.UUID]bool{}, notBefore: map[workerID]time.Time{}, progress: map[uuid.UUID]noted{}}
}

// replays brings each unfinished replay as far as it can be brought now, and plans the workers of those that run.
func (r *Runner) replays(ctx context.Context) (plans []plan, err error) {
	unfinished, err := r.store.UnfinishedReplays(ctx)
	if err != nil {
		return nil, err
	}
	there := map[uuid.UUID]bool{}
	for _, job := range unfinished {
		there[job.ID] = true
		halted := r.jobs.halted[job.ID]
		switch {
		case job.State == event.ReplayCancelled:
			err = r.cancel(ctx, job.Replay)
		case halted != "":
			err = r.store.AddCommand(ctx, event.Command{Target: job.ID.String(), Action: event.ActionPause, By: "hooktape", Reason: halted})
			if err == nil {
				delete(r.jobs.halted, job.ID) // the next look finds the command
			}
		case job.State == event.ReplayRunning && r.jobs.done[job.ID]:
			err = r.finish(ctx, job.Replay)
		default:
			if err = r.save(ctx, job); err == nil && job.State == event.ReplayRunning {
				plans = r.plan(plans, job.Replay)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	for id := range r.jobs.progress {
		if !there[id] {
			delete(r.jobs.progress, id)
			delete(r.jobs.done, id)
		}
	}
	maps.DeleteFunc(r.jobs.notBefore, func(id workerID, _ time.Time) bool { return id.replay != uuid.Nil && !there[id.replay] })
	return plans, nil
}

// plan adds the worker of a running replay, or pauses it when its endpoint is gone.
func (r *Runner) plan(plans []plan, job event.Replay) []plan {
	url := ""
	if strings.Contains(job.Endpoint, "://") {
		url = job.URL // else the endpoint's name counts, wherever that leads by now
	}
	e, err := findEndpoint(*r.endpoints.Load(), r.options.AllowPrivate, job.Endpoint, url)
	if err != nil {
		r.jobs.halted[job.ID] = err.Error()
		return plans
	}
	if e.isAdHoc() {
		e.Name = job.Endpoint // an older version named the same URL otherwise
	}
	if job.PublicOnly {
		e = e.toPublic()
	}
	retry := e.Retry
	if job.MaxAttempts > 0 {
		retry.MaxAttempts = int(job.MaxAttempts)
	}
	if job.Retry == event.RetryNone {
		retry.MaxAttempts = 1
	}
	return append(plans, plan{id: workerID{job.ID, job.Endpoint}, endpoint: e, headers: job.Headers, retry: retry, rate: job.Rate,
		spec: workerSpec{Concurrency: int(max(job.Concurrency, 1)), Order: job.Order, Pace: job.Pace, StopAfterFailures: job.StopAfterFailures, Replay: true}})
}

// finish ends a replay of which nothing is left.
func (r *Runner) finish(ctx context.Context, job event.Replay) (err error) {
	if job.Counts, err = r.store.CountDeliveries(ctx, job.ID); err != nil {
		return err
	}
	if job.Open() > 0 {
		delete(r.jobs.done, job.ID)
		return nil
	}
	r.logger.Info("replay is done", "replay_id", job.ID.String(), "delivered", job.Counts[event.Delivered], "failed", job.Counts[event.Failed])
	job.State, job.Reason = event.ReplayDone, ""
	return r.write(ctx, job)
}

// cancel makes what is left of a replay cancelled, once its worker has ended.
func (r *Runner) cancel(ctx context.Context, job event.Replay) error {
	if r.workers[workerID{job.ID, job.Endpoint}] != nil {
		return nil // it is being stopped
	}
	if err := r.recorder.Flush(ctx); err != nil {
		return err
	}
	if err := r.store.CancelDeliveries(ctx, store.Queue{ReplayID: job.ID, Endpoint: job.Endpoint}); err != nil {
		return err
	}
	var err error
	if job.Counts, err = r.store.CountDeliveries(ctx, job.ID); err != nil {
		return err
	}
	r.logger.Info("replay is cancelled", "replay_id", job.ID.String())
	return r.write(ctx, job)
}

// save writes a replay's state when it has changed, and now and then its progress.
func (r *Runner) save(ctx context.Context, job store.Unfinished) (err error) {
	last, seen := r.jobs.progress[job.ID]
	changed := !seen || job.Saved != job.State || job.Reason != last.Reason
	if !changed && (job.State != event.ReplayRunning || time.Since(last.at) < progressInterval) {
		return nil
	}
	if job.Counts, err = r.store.CountDeliveries(ctx, job.ID); err != nil {
		return err
	}
	if open := job.Open(); seen && last.Open() >= open {
		job.PerSecond = float64(last.Open()-open) / time.Since(last.at).Seconds()
	}
	return r.write(ctx, job.Replay)
}

func (r *Runner) write(ctx context.Context, job event.Replay) error {
	job.UpdatedAt = after(job.UpdatedAt)
	if job.State != event.ReplayRunning {
		job.PerSecond = 0
	}
	r.jobs.progress[job.ID] = noted{job, time.Now()}
	return r.store.SaveReplay(ctx, job)
}
