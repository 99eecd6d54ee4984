package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// stopGrace is how long attempts in flight may take when the process stops or the replay is paused.
const stopGrace = 3 * time.Second

// errStopped ends an attempt whose answer did not arrive within stopGrace.
var errStopped = errors.New("hooktape was stopped before the answer arrived")

// sender makes a worker's attempts: it records the intent on disk, sends the request, and records the outcome on disk.
type sender struct {
	*target
	*instruments
	recorder *Recorder
	headers  []event.Header // of the replay
	retry    RetryPolicy
}

// intend records on disk that the next attempt of a delivery is about to be made.
func (s *sender) intend(ctx context.Context, d *event.Delivery) error {
	if err := s.recordLost(ctx, d); err != nil {
		return err
	}
	d.UpdatedAt = time.Now()
	d.State, d.Attempts, d.NextAt = event.Delivering, d.Attempts+1, time.Time{}
	if d.LastAttemptAt = d.UpdatedAt; d.FirstAttemptAt.IsZero() && d.Attempts == 1 {
		d.FirstAttemptAt = d.UpdatedAt
	}
	return s.record(ctx, d, nil)
}

// fail ends a delivery without another attempt.
func (s *sender) fail(ctx context.Context, d *event.Delivery, why string) error {
	if err := s.recordLost(ctx, d); err != nil {
		return err
	}
	d.State, d.Error, d.UpdatedAt = event.Failed, why, time.Now()
	return s.record(ctx, d, nil)
}

// recordLost ends the attempt of a delivery whose process ended before it recorded the outcome.
func (s *sender) recordLost(ctx context.Context, d *event.Delivery) error {
	if d.State != event.Delivering {
		return nil
	}
	lost := s.newAttempt(d)
	lost.StartedAt, lost.Outcome = d.UpdatedAt, event.OutcomeUnknown
	lost.Error = "hooktape ended before it could record the answer"
	d.State, d.Outcome, d.Error, d.UpdatedAt = event.Unknown, lost.Outcome, lost.Error, time.Now()
	return s.record(ctx, d, lost)
}

// record puts a delivery's new state on disk, with the attempt that led to it, and counts a final one. It does so even
// if ctx has ended. After an error, what happened is not on disk and nothing more may be sent.
func (s *sender) record(ctx context.Context, d *event.Delivery, a *event.Attempt) error {
	err := s.recorder.record(context.WithoutCancel(ctx), d, a)
	if err == nil && d.State.Final() {
		s.ended.Add(ctx, 1, metric.WithAttributes(endpointLabel(d.Endpoint), attrState.String(string(d.State))))
	}
	return err
}

func (s *sender) newAttempt(d *event.Delivery) *event.Attempt {
	return &event.Attempt{ID: d.AttemptID(d.Attempts), EventID: d.EventID, Endpoint: d.Endpoint, URL: s.StoredURL(),
		ReplayID: d.ReplayID, Number: d.Attempts}
}

// attempt sends the event once and moves the delivery to its next state. After the end of ctx it waits for the answer
// for stopGrace.
func (s *sender) attempt(ctx context.Context, d *event.Delivery, e *event.Event) (*event.Attempt, outbound.Answer) {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { cancel(errStopped) }) })()
	ctx = sending
	endpoint := endpointLabel(d.Endpoint)
	ctx, span := s.tracer.Start(ctx, "deliver", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithLinks(trace.Link{SpanContext: requestSpan(e)}), trace.WithAttributes(s.client.ServerAttributes()...),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(e.Method), attrEventID.String(e.ID.String()),
			attrReplayID.String(d.ReplayID.String()), endpoint, attrAttempt.Int(int(d.Attempts))))
	defer span.End()
	s.inFlight.Add(ctx, 1, metric.WithAttributes(endpoint))
	defer s.inFlight.Add(ctx, -1, metric.WithAttributes(endpoint))
	a := s.newAttempt(d)
	a.StartedAt, a.TraceID = time.Now(), span.SpanContext().TraceID()

	answer := s.send(ctx, a, d, e)
	if errors.Is(context.Cause(ctx), errStopped) && !answer.Outcome.OK() {
		answer = outbound.Answer{Outcome: event.OutcomeUnknown, Err: errStopped.Error()}
	}
	a.Duration = time.Since(a.StartedAt)
	setAnswer(a, answer)
	s.settle(d, answer)

	labels := metric.WithAttributes(endpoint, outbound.AttrOutcome.String(string(a.Outcome)))
	s.attempts.Add(ctx, 1, labels)
	s.duration.Record(ctx, a.Duration.Seconds(), labels)
	outbound.SetSpanStatus(span, a)
	return a, answer
}

func (s *sender) send(ctx context.Context, a *event.Attempt, d *event.Delivery, e *event.Event) outbound.Answer {
	request, err := s.client.NewRequest(ctx, s.headers, e, d, a.StartedAt)
	if err != nil {
		return outbound.Answer{Outcome: event.OutcomeImpossible,
			Err: fmt.Sprintf("the request cannot be made: %v", err)}
	}
	a.RequestHeaders = s.client.StoredHeaders(request, s.headers)
	return s.client.Send(request)
}

// settle moves a delivery to the state that follows from an answer.
func (s *sender) settle(d *event.Delivery, answer outbound.Answer) {
	d.UpdatedAt, d.StatusCode, d.Error = time.Now(), answer.Status, answer.Err
	d.Outcome, d.Answer = answer.Outcome, event.FirstLine(answer.Body)
	switch answer.Outcome {
	case event.OutcomeDelivered:
		d.State, d.Error = event.Delivered, "" // the attempt records an error in reading the body
		return
	case event.OutcomeUnknown:
		d.State = event.Unknown // sent again when the worker continues
		return
	}
	delay, again, why := s.retry.Next(answer, d.Attempts, d.UpdatedAt.Sub(d.CreatedAt))
	if again {
		d.State, d.NextAt = event.Retrying, d.UpdatedAt.Add(delay)
		return
	}
	d.State = event.Failed
	if why != "" {
		d.Error += "; " + why
	}
}

func setAnswer(a *event.Attempt, answer outbound.Answer) {
	a.Outcome, a.StatusCode, a.Error = answer.Outcome, answer.Status, answer.Err
	a.ResponseHeaders, a.ResponseBody = answer.Headers, answer.Body
}

// requestSpan returns the span of the request that brought the event.
func requestSpan(e *event.Event) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: e.TraceID, SpanID: e.SpanID, TraceFlags: trace.FlagsSampled, Remote: true})
}
