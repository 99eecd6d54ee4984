package replay

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// progressInterval is how often a running replay's counts are written.
const progressInterval = 2 * time.Second

// replays moves unfinished replays from state to state and writes their progress.
type replays struct {
	store    *store.Store
	recorder *Recorder
	logger   *slog.Logger

	halted  map[uuid.UUID]string        // why the replay must pause
	done    map[uuid.UUID]bool          // its worker has found nothing left to send
	written map[uuid.UUID]writtenReplay // by this process
}

type writtenReplay struct {
	event.Replay
	at time.Time
}

// reset forgets everything, because another process delivers and writes replays.
func (rs *replays) reset() {
	rs.halted = map[uuid.UUID]string{}
	rs.done = map[uuid.UUID]bool{}
	rs.written = map[uuid.UUID]writtenReplay{}
}

// update brings each unfinished replay as far as possible and returns those that run. hasWorker reports whether a
// worker sends a queue.
func (rs *replays) update(ctx context.Context, hasWorker func(store.Queue) bool) (running []event.Replay, err error) {
	unfinished, err := rs.store.UnfinishedReplays(ctx)
	if err != nil {
		return nil, err
	}
	exists := map[uuid.UUID]bool{}
	for _, r := range unfinished {
		exists[r.ID] = true
		switch {
		case r.State == event.ReplayCancelled:
			if !hasWorker(queueOf(r.Replay)) { // otherwise it is being stopped
				err = rs.cancel(ctx, r.Replay)
			}
		case rs.halted[r.ID] != "":
			err = rs.pause(ctx, r.ID)
		case r.State == event.ReplayRunning && rs.done[r.ID]:
			err = rs.finish(ctx, r.Replay)
		default:
			err = rs.writeProgress(ctx, r)
			if r.State == event.ReplayRunning {
				running = append(running, r.Replay)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(rs.written, func(id uuid.UUID, _ writtenReplay) bool { return !exists[id] })
	maps.DeleteFunc(rs.done, func(id uuid.UUID, _ bool) bool { return !exists[id] })
	return running, nil
}

// queueOf returns the queue of a replay's deliveries.
func queueOf(r event.Replay) store.Queue { return store.Queue{ReplayID: r.ID, Endpoint: r.Endpoint} }

// pause pauses a halted replay by a command, which the next update finds.
func (rs *replays) pause(ctx context.Context, id uuid.UUID) error {
	err := rs.store.AddCommand(ctx, event.Command{
		Target: id.String(), Action: event.ActionPause, By: "hooktape", Reason: rs.halted[id]})
	if err == nil {
		delete(rs.halted, id)
	}
	return err
}

// finish ends a replay that has nothing left to send.
func (rs *replays) finish(ctx context.Context, r event.Replay) (err error) {
	if r.Counts, err = rs.store.CountDeliveries(ctx, r.ID); err != nil {
		return err
	}
	if r.Open() > 0 {
		delete(rs.done, r.ID)
		return nil
	}
	rs.logger.Info("replay is completed", "replay_id", r.ID.String(),
		"delivered", r.Counts[event.Delivered], "failed", r.Counts[event.Failed])
	r.State, r.Reason = event.ReplayCompleted, ""
	if r.Counts[event.Failed] > 0 {
		r.State = event.ReplayFailures
	}
	return rs.write(ctx, r)
}

// cancel cancels the open deliveries of a replay.
func (rs *replays) cancel(ctx context.Context, r event.Replay) error {
	if err := rs.recorder.Flush(ctx); err != nil {
		return err
	}
	if err := rs.store.CancelDeliveries(ctx, queueOf(r)); err != nil {
		return err
	}
	var err error
	if r.Counts, err = rs.store.CountDeliveries(ctx, r.ID); err != nil {
		return err
	}
	rs.logger.Info("replay is cancelled", "replay_id", r.ID.String())
	return rs.write(ctx, r)
}

// writeProgress writes a replay if its state has changed, and every progressInterval while it runs.
func (rs *replays) writeProgress(ctx context.Context, r store.Unfinished) (err error) {
	last, known := rs.written[r.ID]
	changed := !known || r.Saved != r.State || r.Reason != last.Reason
	if !changed && (r.State != event.ReplayRunning || time.Since(last.at) < progressInterval) {
		return nil
	}
	if r.Counts, err = rs.store.CountDeliveries(ctx, r.ID); err != nil {
		return err
	}
	if open := r.Open(); known && last.Open() >= open {
		r.PerSecond = float64(last.Open()-open) / time.Since(last.at).Seconds()
	}
	return rs.write(ctx, r.Replay)
}

func (rs *replays) write(ctx context.Context, r event.Replay) error {
	r.UpdatedAt = after(r.UpdatedAt)
	if r.State != event.ReplayRunning {
		r.PerSecond = 0
	}
	rs.written[r.ID] = writtenReplay{r, time.Now()}
	return rs.store.SaveProgress(ctx, r)
}

// unfinished returns the running and paused replays as they were written.
func (rs *replays) unfinished() (list []event.Replay) {
	for _, r := range rs.written {
		if r.State == event.ReplayRunning || r.State == event.ReplayPaused {
			list = append(list, r.Replay)
		}
	}
	return list
}
