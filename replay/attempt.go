package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// stopGrace is how long attempts in flight may take when the process stops or the replay is paused.
const stopGrace = 3 * time.Second

// errStopped ends an attempt whose answer did not come within stopGrace.
var errStopped = errors.New("hooktape was stopped before the answer came")

// sender makes attempts: note the intent on disk, send, note the outcome on disk.
type sender struct {
	*target
	*instruments
	recorder *Recorder
	headers  []event.Header // of the replay
	retry    RetryPolicy
	held     func() bool // nothing may be sent while another process may deliver the same
}

// deliver makes the next attempt of a delivery and moves it to the state that follows. What was sent is noted even when
// ctx ends meanwhile. An error is one of noting: what happened is not on disk, and nothing more may be sent.
func (s *sender) deliver(ctx context.Context, d *event.Delivery, e *event.Event) (outbound.Answer, error) {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { cancel(errStopped) }) })()
	ctx = context.WithoutCancel(ctx)
	if d.State == event.Delivering {
		if err := s.noteUnknown(ctx, d); err != nil {
			return outbound.Answer{}, err
		}
	}
	now := time.Now()
	d.UpdatedAt = now
	d.State, d.Attempts, d.NextAt = event.Delivering, d.Attempts+1, time.Time{}
	if err := s.note(ctx, d, nil); err != nil {
		return outbound.Answer{}, err
	}
	a, got := s.attempt(sending, d, e)
	return got, s.note(ctx, d, a)
}

// giveUp ends a delivery without an attempt.
func (s *sender) giveUp(ctx context.Context, d *event.Delivery, why string) error {
	if d.State == event.Delivering {
		if err := s.noteUnknown(ctx, d); err != nil {
			return err
		}
	}
	d.State, d.Error, d.UpdatedAt = event.Failed, why, time.Now()
	return s.note(context.WithoutCancel(ctx), d, nil)
}

// note puts a delivery's new state on disk, and counts one that has come to its end.
func (s *sender) note(ctx context.Context, d *event.Delivery, a *event.Attempt) error {
	err := s.recorder.note(ctx, d, a)
	if err == nil && d.State.Final() {
		s.ended.Add(ctx, 1, metric.WithAttributes(endpointLabel(d.Endpoint), attrState.String(string(d.State))))
	}
	return err
}

// noteUnknown closes an attempt whose outcome died with the process that made it.
func (s *sender) noteUnknown(ctx context.Context, d *event.Delivery) error {
	lost := s.describe(d)
	lost.StartedAt, lost.Outcome, lost.Error = d.UpdatedAt, event.OutcomeUnknown, "hooktape ended before it could note the answer"
	d.State, d.Error, d.UpdatedAt = event.Unknown, lost.Error, time.Now()
	return s.note(ctx, d, lost)
}

// describe fills what an attempt of d has in common with others.
func (s *sender) describe(d *event.Delivery) *event.Attempt {
	return &event.Attempt{ID: d.AttemptID(d.Attempts), EventID: d.EventID, Endpoint: d.Endpoint, URL: s.StoredURL(),
		ReplayID: d.ReplayID, Number: d.Attempts}
}

// attempt sends the event once and moves the delivery to the state that follows.
func (s *sender) attempt(ctx context.Context, d *event.Delivery, e *event.Event) (*event.Attempt, outbound.Answer) {
	endpoint := endpointLabel(d.Endpoint)
	ctx, span := s.tracer.Start(ctx, "deliver", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithLinks(trace.Link{SpanContext: arrivalOf(e)}), trace.WithAttributes(s.client.ServerAttributes()...),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(e.Method), attrEventID.String(e.ID.String()),
			attrReplayID.String(d.ReplayID.String()), endpoint, attrAttempt.Int(int(d.Attempts))))
	defer span.End()
	s.inFlight.Add(ctx, 1, metric.WithAttributes(endpoint))
	defer s.inFlight.Add(ctx, -1, metric.WithAttributes(endpoint))
	a := s.describe(d)
	a.StartedAt, a.TraceID = time.Now(), span.SpanContext().TraceID()

	request, err := s.client.NewRequest(ctx, s.headers, e, d, a.StartedAt)
	var got outbound.Answer
	if err != nil {
		got = outbound.Answer{Outcome: event.OutcomeImpossible, Err: fmt.Sprintf("the request cannot be made: %v", err)}
	} else {
		a.RequestHeaders = s.client.StoredHeaders(request, s.headers)
		got = s.client.Send(request)
	}
	if errors.Is(context.Cause(ctx), errStopped) && !got.Outcome.OK() {
		got = outbound.Answer{Outcome: event.OutcomeUnknown, Err: errStopped.Error()}
	}
	a.Duration = time.Since(a.StartedAt)
	a.Outcome, a.StatusCode, a.Error, a.ResponseHeaders, a.ResponseBody = got.Outcome, got.Status, got.Err, got.Headers, got.Body
	s.follow(d, got)

	labels := metric.WithAttributes(endpoint, attrOutcome.String(string(a.Outcome)))
	s.attempts.Add(ctx, 1, labels)
	s.duration.Record(ctx, a.Duration.Seconds(), labels)
	conclude(span, a)
	return a, got
}

// conclude tells a span how the attempt ended: by words of ours alone, for the endpoint's may quote what was sent.
func conclude(span trace.Span, a *event.Attempt) {
	span.SetAttributes(attrOutcome.String(string(a.Outcome)))
	if a.StatusCode != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(int(a.StatusCode)))
	}
	switch {
	case a.Outcome.OK():
	case a.Outcome == event.OutcomeStatus:
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(int(a.StatusCode))))
		span.SetStatus(codes.Error, "")
	default:
		span.SetAttributes(semconv.ErrorTypeKey.String(string(a.Outcome)))
		span.SetStatus(codes.Error, string(a.Outcome))
	}
}

// follow is what an answer makes of a delivery.
func (s *sender) follow(d *event.Delivery, got outbound.Answer) {
	d.UpdatedAt, d.StatusCode, d.Error = time.Now(), got.Status, got.Err
	switch got.Outcome {
	case event.OutcomeDelivered:
		d.State, d.Error = event.Delivered, "" // the attempt keeps what was wrong with the answer's body
		return
	case event.OutcomeUnknown:
		d.State = event.Unknown // sent again when the worker goes on
		return
	}
	delay, again, why := s.retry.Next(got, d.Attempts, d.UpdatedAt.Sub(d.CreatedAt))
	if again {
		d.State, d.NextAt = event.Retrying, d.UpdatedAt.Add(delay)
		return
	}
	d.State = event.Failed
	if why != "" {
		d.Error += "; " + why
	}
}

// arrivalOf is the span of the request that brought the event.
func arrivalOf(e *event.Event) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: e.TraceID, SpanID: e.SpanID, TraceFlags: trace.FlagsSampled, Remote: true})
}
