package replay

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// progressInterval is how often a running replay's counts are written.
const progressInterval = 2 * time.Second

// jobs is what the runner remembers of replays between two looks.
type jobs struct {
	halted    map[uuid.UUID]string // why the lane has stopped itself, until that is a command
	done      map[uuid.UUID]bool   // the lane has found nothing left
	notBefore map[laneID]time.Time // when a lane may be started again
	progress  map[uuid.UUID]noted  // what was written last
}

// noted is a replay as its progress was written, and when that was.
type noted struct {
	event.Replay
	at time.Time
}

func newJobs() jobs {
	return jobs{halted: map[uuid.UUID]string{}, done: map[uuid.UUID]bool{}, notBefore: map[laneID]time.Time{}, progress: map[uuid.UUID]noted{}}
}

// replays brings each unfinished replay as far as it can be brought now, and plans the lanes of those that run. What anyone
// wants of a replay comes as a command.
func (r *Runner) replays(ctx context.Context, steering map[string]store.Steered) (plans []plan, err error) {
	unfinished, err := r.store.UnfinishedReplays(ctx)
	if err != nil {
		return nil, err
	}
	there := map[uuid.UUID]bool{}
	for _, job := range unfinished {
		there[job.ID] = true
		wanted := steering[job.ID.String()]
		if wanted.Rate != nil {
			job.Rate = *wanted.Rate
		}
		switch {
		case wanted.Action == event.ActionCancel:
			err = r.cancel(ctx, job, wanted)
		case r.jobs.halted[job.ID] != "":
			if err = r.command(ctx, job.ID, event.ActionPause, r.jobs.halted[job.ID]); err == nil {
				delete(r.jobs.halted, job.ID) // the next look finds the command
			}
		case wanted.Action == event.ActionPause:
			err = r.save(ctx, job, event.ReplayPaused, wanted.Why())
		case r.jobs.done[job.ID]:
			err = r.finish(ctx, job)
		default:
			if err = r.save(ctx, job, event.ReplayRunning, ""); err == nil {
				plans = r.plan(plans, job)
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
	maps.DeleteFunc(r.jobs.notBefore, func(id laneID, _ time.Time) bool { return id.replay != uuid.Nil && !there[id.replay] })
	return plans, nil
}

// plan adds the lane of a running replay, or pauses it when its endpoint is gone.
func (r *Runner) plan(plans []plan, job event.Replay) []plan {
	url := ""
	if strings.Contains(job.Endpoint, "://") {
		url = job.URL // else the endpoint's name counts, wherever that leads by now
	}
	e, err := resolve(*r.endpoints.Load(), r.options.AllowPrivate, job.Endpoint, url)
	if err != nil {
		r.jobs.halted[job.ID] = err.Error()
		return plans
	}
	if e.adHoc {
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
	return append(plans, plan{id: laneID{job.ID, job.Endpoint}, endpoint: e, headers: job.Headers, retry: retry, rate: job.Rate,
		spec: laneSpec{Concurrency: int(max(job.Concurrency, 1)), Order: job.Order, Pace: job.Pace, StopAfterFailures: job.StopAfterFailures, Replay: true}})
}

// finish ends a replay of which nothing is left.
func (r *Runner) finish(ctx context.Context, job event.Replay) error {
	counts, err := r.store.CountDeliveries(ctx, job.ID)
	if err != nil {
		return err
	}
	if job.Counts = counts; job.Open() > 0 {
		delete(r.jobs.done, job.ID)
		return nil
	}
	r.logger.Info("replay is done", "replay_id", job.ID.String(), "delivered", counts[event.Delivered], "failed", counts[event.Failed])
	return r.write(ctx, job, event.ReplayDone, "")
}

// cancel makes what is left of a replay cancelled, once its lane has ended.
func (r *Runner) cancel(ctx context.Context, job event.Replay, wanted store.Steered) error {
	id := laneID{job.ID, job.Endpoint}
	if r.lanes[id] != nil {
		return nil // it is being stopped
	}
	if err := r.recorder.Flush(ctx); err != nil {
		return err
	}
	if err := r.store.CancelDeliveries(ctx, store.Queue{ReplayID: job.ID, Endpoint: job.Endpoint}); err != nil {
		return err
	}
	counts, err := r.store.CountDeliveries(ctx, job.ID)
	if err != nil {
		return err
	}
	job.Counts = counts
	r.logger.Info("replay is cancelled", "replay_id", job.ID.String(), "by", wanted.By)
	return r.write(ctx, job, event.ReplayCancelled, wanted.Why())
}

// save writes a replay's state when it has changed, and now and then its progress.
func (r *Runner) save(ctx context.Context, job event.Replay, state event.ReplayState, reason string) error {
	last, seen := r.jobs.progress[job.ID]
	changed := job.State != state || job.Reason != reason
	if !changed && seen && (state != event.ReplayRunning || time.Since(last.at) < progressInterval) {
		return nil
	}
	counts, err := r.store.CountDeliveries(ctx, job.ID)
	if err != nil {
		return err
	}
	job.Counts = counts
	if open := job.Open(); seen && last.Open() >= open {
		job.PerSecond = float64(last.Open()-open) / time.Since(last.at).Seconds()
	}
	return r.write(ctx, job, state, reason)
}

func (r *Runner) write(ctx context.Context, job event.Replay, state event.ReplayState, reason string) error {
	job.State, job.Reason, job.UpdatedAt = state, reason, after(job.UpdatedAt)
	if state != event.ReplayRunning {
		job.PerSecond = 0
	}
	r.jobs.progress[job.ID] = noted{job, time.Now()}
	return r.store.SaveReplay(ctx, job)
}

// command is something that the program itself wants of a replay.
func (r *Runner) command(ctx context.Context, id uuid.UUID, action event.Action, why string) error {
	return r.store.AddCommand(ctx, event.Command{Target: id.String(), Action: action, By: "hooktape", Reason: why})
}
