package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"hooktape/event"
	"hooktape/store"
)

// What a job holds in memory: the keys of a page of deliveries, and the bodies of a part of it. The others stay in
// ClickHouse.
const (
	pageSize = 500
	partSize = 50
)

// job works off one replay. It goes over the replay's deliveries in passes: a pass sends all that are due, in order of
// arrival; what failed and may be tried again is due in a later pass. Between passes everything noted is brought to
// ClickHouse, so that a pass never reads a state that is behind.
type job struct {
	*Runner
	replay  event.Replay
	limiter *rate.Limiter
}

func newJob(r *Runner, replay event.Replay) *job {
	limit := rate.Inf
	if replay.Rate > 0 {
		limit = rate.Limit(replay.Rate)
	}
	return &job{Runner: r, replay: replay, limiter: rate.NewLimiter(limit, 1)}
}

// run makes passes until every delivery is final, then says so in the table replays.
func (j *job) run(ctx context.Context) error {
	for {
		// What is noted and not yet in ClickHouse, by this job or the one before it, a pass would send again.
		if err := j.recorder.Flush(ctx); err != nil {
			return err
		}
		if err := j.pass(ctx); err != nil {
			return err
		}
		if err := j.recorder.Flush(ctx); err != nil {
			return err
		}
		counts, err := j.store.CountDeliveries(ctx, j.replay.ID)
		if err != nil {
			return err
		}
		open := uint64(0)
		for state, n := range counts {
			if !state.Final() {
				open += n
			}
		}
		if open == 0 {
			return j.finish(ctx)
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finish says in the table replays that the job is done, unless somebody has decided otherwise meanwhile.
func (j *job) finish(ctx context.Context) error {
	replay, err := j.store.Replay(ctx, j.replay.ID)
	if err != nil || replay.State != event.ReplayRunning {
		return err
	}
	replay.State, replay.UpdatedAt = event.ReplayDone, time.Now()
	return j.store.SaveReplay(ctx, replay)
}

// pass sends all deliveries that are due, and returns when their outcomes are noted.
func (j *job) pass(ctx context.Context) error {
	workers, workerCtx := errgroup.WithContext(ctx)
	workers.SetLimit(int(max(j.replay.Concurrency, 1)))
	err := j.pages(workerCtx, func(d event.Delivery, e *event.Event) error {
		if err := j.limiter.Wait(workerCtx); err != nil {
			return err
		}
		workers.Go(func() error { return j.deliver(workerCtx, d, e) })
		return nil
	})
	if workerErr := workers.Wait(); workerErr != nil {
		return workerErr
	}
	return err
}

// pages hands out what is due, page by page.
func (j *job) pages(ctx context.Context, each func(event.Delivery, *event.Event) error) error {
	var after *store.Cursor
	for {
		open, err := j.store.OpenDeliveries(ctx, store.Queue{ReplayID: j.replay.ID, Endpoint: j.replay.Endpoint}, after, pageSize)
		if err != nil || len(open) == 0 {
			return err
		}
		now, last := time.Now(), open[len(open)-1]
		due := slices.DeleteFunc(open, func(d event.Delivery) bool { return d.State == event.Retrying && d.NextAt.After(now) })
		for part := range slices.Chunk(due, partSize) {
			events, err := j.eventsOf(ctx, part)
			if err != nil {
				return err
			}
			for _, d := range part {
				if err := each(d, events[d.EventID]); err != nil {
					return err
				}
			}
		}
		after = &store.Cursor{ReceivedAt: last.EventReceivedAt, ID: last.EventID}
	}
}

func (j *job) eventsOf(ctx context.Context, due []event.Delivery) (map[uuid.UUID]*event.Event, error) {
	ids := make([]uuid.UUID, len(due))
	for i, d := range due {
		ids[i] = d.EventID
	}
	list, err := j.store.Events(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := make(map[uuid.UUID]*event.Event, len(list))
	for i := range list {
		events[list[i].ID] = &list[i]
	}
	return events, nil
}

// stopGrace is how long attempts in flight may take when the process stops or the replay is paused.
const stopGrace = 3 * time.Second

// errStopped ends an attempt whose answer did not come within stopGrace.
var errStopped = errors.New("hooktape was stopped before the answer came")

// deliver makes the next attempt of a delivery: note the intent, send, note the outcome. What was sent is noted even
// when ctx ends meanwhile.
func (j *job) deliver(ctx context.Context, d event.Delivery, e *event.Event) error {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { cancel(errStopped) }) })()
	ctx = context.WithoutCancel(ctx)
	if d.State == event.Delivering {
		if err := j.noteUnknown(ctx, &d); err != nil {
			return err
		}
	}
	d.UpdatedAt = time.Now()
	if e == nil {
		d.State, d.Error = event.Failed, "the event is no longer stored"
		return j.recorder.note(ctx, &d, nil)
	}
	d.State, d.Attempts, d.NextAt = event.Delivering, d.Attempts+1, time.Time{}
	if err := j.recorder.note(ctx, &d, nil); err != nil {
		return err
	}
	a := j.attempt(sending, &d, e)
	return j.recorder.note(ctx, &d, a)
}

// noteUnknown closes an attempt whose outcome died with the process that made it.
func (j *job) noteUnknown(ctx context.Context, d *event.Delivery) error {
	lost := j.describe(d)
	lost.StartedAt, lost.Outcome, lost.Error = d.UpdatedAt, event.OutcomeUnknown, "hooktape ended before it could note the answer"
	d.State, d.Error, d.UpdatedAt = event.Unknown, lost.Error, time.Now()
	return j.recorder.note(ctx, d, lost)
}

// describe fills what an attempt of d has in common with others.
func (j *job) describe(d *event.Delivery) *event.Attempt {
	return &event.Attempt{ID: d.AttemptID(d.Attempts), EventID: d.EventID, Endpoint: d.Endpoint, URL: j.replay.URL,
		ReplayID: d.ReplayID, Number: d.Attempts}
}

// attempt sends the event once and moves the delivery to the state that follows.
func (j *job) attempt(ctx context.Context, d *event.Delivery, e *event.Event) *event.Attempt {
	ctx, span := j.tracer.Start(ctx, "deliver", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithLinks(trace.Link{SpanContext: arrivalOf(e)}),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(e.Method), attrEventID.String(e.ID.String()),
			attrReplayID.String(d.ReplayID.String()), attrEndpoint.String(d.Endpoint), attrAttempt.Int(int(d.Attempts))))
	defer span.End()
	a := j.describe(d)
	a.StartedAt, a.TraceID = time.Now(), span.SpanContext().TraceID()

	request, err := newRequest(ctx, j.replay.URL, e, d)
	var got answer
	if err != nil {
		got = answer{outcome: event.OutcomeImpossible, err: fmt.Sprintf("the request cannot be made: %v", err)}
	} else {
		got = send(j.client, request)
	}
	if errors.Is(context.Cause(ctx), errStopped) && got.outcome != event.OutcomeDelivered {
		got = answer{outcome: event.OutcomeUnknown, err: errStopped.Error()}
	}
	a.Duration = time.Since(a.StartedAt)
	a.Outcome, a.StatusCode, a.Error, a.ResponseHeaders, a.ResponseBody = got.outcome, got.status, got.err, got.headers, got.body
	j.follow(d, got)

	labels := metric.WithAttributes(attrEndpoint.String(d.Endpoint), attrOutcome.String(string(a.Outcome)))
	j.attempts.Add(ctx, 1, labels)
	j.duration.Record(ctx, a.Duration.Seconds(), labels)
	span.SetAttributes(attrOutcome.String(string(a.Outcome)))
	if a.StatusCode != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(int(a.StatusCode)))
	}
	if a.Outcome != event.OutcomeDelivered {
		span.SetStatus(codes.Error, a.Error)
	}
	return a
}

// follow is what an answer makes of a delivery.
func (j *job) follow(d *event.Delivery, got answer) {
	d.UpdatedAt, d.StatusCode, d.Error = time.Now(), got.status, got.err
	switch {
	case got.outcome == event.OutcomeDelivered:
		d.State = event.Delivered
	case got.outcome == event.OutcomeUnknown:
		d.State = event.Unknown // sent again when the replay goes on
	case got.retryable() && d.Attempts < uint32(j.replay.MaxAttempts):
		d.State, d.NextAt = event.Retrying, d.UpdatedAt.Add(retryDelay(d.Attempts))
	default:
		d.State = event.Failed
	}
}

// retryDelay is the time before the attempt that follows number: exponential from 1 s to at most 5 min, with full
// jitter, so that what failed together does not come back together.
func retryDelay(number uint32) time.Duration {
	ceiling := min(time.Second<<min(number-1, 16), 5*time.Minute)
	return rand.N(ceiling) + time.Millisecond
}

// arrivalOf is the span of the request that brought the event.
func arrivalOf(e *event.Event) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: e.TraceID, SpanID: e.SpanID, TraceFlags: trace.FlagsSampled, Remote: true})
}
