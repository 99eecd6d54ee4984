package ingest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/spool"
)

// exchange is a request that is forwarded, and its answer.
type exchange struct {
	*forwarder
	server  *Server
	judged  *judged
	request *event.Event
	attempt event.Attempt
	began   time.Time     // the end of the request
	waited  time.Duration // for the endpoint
	result  string        // for the metrics
}

// The results of an exchange.
const (
	resultAnswered  = "answered"
	resultBrokenOff = "broken_off"
	resultBotLeft   = "bot_left"
	resultFallback  = "fallback"
)

const (
	// writeGrace is the time after the deadline that a bot has to read the rest of its answer.
	writeGrace = 2 * time.Second
	// stopGrace is the time that forwarded requests have when the process stops. It leaves time for the fallback.
	stopGrace = shutdownGrace - time.Second
)

var (
	errStopped = errors.New("hooktape was stopped before the answer arrived")
	errLate    = errors.New("the request was not on disk within the deadline")
)

// forward stores a request together with the intent to forward it, forwards it, and answers as the endpoint does. It
// stores the outcome after the answer. The bot is answered even if nothing can be stored.
func (s *Server) forward(c *gin.Context, h *judged) {
	s.recording.Add(1)
	defer s.recording.Done()
	x := &exchange{forwarder: h.source.forwarder, server: s, judged: h, request: &event.Event{Received: *h.captured},
		began: time.Now()}
	x.attempt = event.Attempt{ID: event.ForwardID(h.captured.ID, x.To), EventID: h.captured.ID, Endpoint: x.To,
		URL: x.Endpoint.StoredURL(), Number: 1, StartedAt: x.began, Kind: event.AttemptForward,
		TraceID: trace.SpanContextFromContext(c.Request.Context()).TraceID()}
	// A bot that leaves does not end the exchange: the endpoint may have acted, and its answer is recorded.
	ctx, stop := context.WithCancelCause(context.WithoutCancel(c.Request.Context()))
	defer stop(nil)
	defer context.AfterFunc(s.stopping, func() { stop(errStopped) })()
	ctx, cancel := context.WithDeadline(ctx, x.began.Add(x.Deadline))
	defer cancel()
	// It fails only in tests, without a connection.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(x.began.Add(x.Deadline + writeGrace))

	if !x.enter() {
		x.refuse(ctx, c, event.FallbackInFlight, "too many requests wait for an answer; nothing was sent")
		return
	}
	admitted, wait := x.breaker.Admit(time.Now())
	if wait > 0 {
		x.leave()
		x.refuse(ctx, c, event.FallbackFailing,
			"the endpoint is failing (its circuit breaker is open); nothing was sent")
		return
	}
	stored, err := x.store(ctx, &event.Record{Received: x.request.Received}, x.intent())
	if err != nil {
		x.breaker.Withdraw(admitted)
		x.unsent(c, stored, err)
		return
	}
	x.send(ctx, c, admitted)
	x.finish()
	s.recording.Go(func() {
		defer x.leave()
		x.record()
	})
}

// enter takes a place among the requests in flight, of the source and of all sources, and moves the request's memory to
// the share of forwarded requests. It returns false if there is no room.
func (x *exchange) enter() bool {
	if !x.places.TryAcquire(1) {
		return false
	}
	if !x.server.places.TryAcquire(1) {
		x.places.Release(1)
		return false
	}
	x.server.forwarding.Add(context.Background(), 1, metric.WithAttributes(attrSource.String(x.judged.source.Name)))
	if !x.judged.memory.hold() {
		x.leave()
		return false
	}
	return true
}

// leave gives the place back.
func (x *exchange) leave() {
	x.server.forwarding.Add(context.Background(), -1, metric.WithAttributes(attrSource.String(x.judged.source.Name)))
	x.server.places.Release(1)
	x.places.Release(1)
}

// intent returns the note that is on disk for as long as the outcome is not.
func (x *exchange) intent() spool.Note { return intentOf(&x.attempt) }

// store puts a record on disk. It does not wait beyond ctx: then it returns errLate or errStopped, and stored receives
// the result.
func (x *exchange) store(ctx context.Context, record *event.Record, notes ...spool.Note) (stored <-chan error,
	err error) {
	data, err := record.Marshal()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	done := make(chan error, 1)
	x.server.recording.Go(func() {
		patient, cancel := context.WithTimeout(context.Background(), x.server.options.Timeouts.Read)
		defer cancel()
		done <- x.server.spool.Append(patient, data, notes...)
	})
	select {
	case err := <-done:
		if err == nil {
			x.judged.appended = time.Since(begun)
			x.server.appendTime.Record(ctx, x.judged.appended.Seconds())
			x.server.count(ctx, x.judged.source.Name, event.Accepted, true)
		}
		return nil, err
	case <-ctx.Done():
		if cause := context.Cause(ctx); errors.Is(cause, errStopped) {
			return done, cause
		}
		return done, errLate
	}
}

// refuse answers with the fallback and sends nothing. The request and its outcome are stored together.
func (x *exchange) refuse(ctx context.Context, c *gin.Context, why event.Fallback, text string) {
	x.setOutcome(event.OutcomeNotSent, why, text)
	if _, err := x.store(ctx, &event.Record{Received: x.request.Received, Outcome: &x.attempt}); err != nil {
		x.server.notStored(c.Request.Context(), err)
	}
	x.Fallback.write(c.Writer)
	x.finish()
}

// unsent answers with the fallback because the intent is not on disk. If it is late, its outcome is recorded when it
// is.
func (x *exchange) unsent(c *gin.Context, stored <-chan error, err error) {
	x.server.notStored(c.Request.Context(), err)
	x.Fallback.write(c.Writer)
	if stored == nil {
		x.leave()
		x.server.countFallback(c.Request.Context(), x.judged.source.Name, fallbackFull)
		return
	}
	x.setOutcome(event.OutcomeNotSent, event.FallbackDeadline, err.Error()+"; nothing was sent")
	x.finish()
	x.server.recording.Go(func() {
		defer x.leave()
		if <-stored == nil {
			x.record()
		}
	})
}

// send sends the request and answers with what comes back, or with the fallback.
func (x *exchange) send(ctx context.Context, c *gin.Context, admitted outbound.Admission) {
	ctx, span := x.server.tracer.Start(ctx, "forward", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(x.Endpoint.ServerAttributes()...),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(knownMethod(x.request.Method)),
			attrEventID.String(x.judged.id), attrSource.String(x.judged.source.Name), attrEndpoint.String(x.To)))
	defer span.End()
	x.attempt.StartedAt = time.Now()
	response, err := x.do(ctx)
	x.report(ctx, admitted, err)
	if err != nil {
		outcome, why := reasonOf(err)
		if errors.Is(context.Cause(ctx), errStopped) {
			outcome, why, err = event.OutcomeUnknown, event.FallbackError, errStopped
		}
		x.setOutcome(outcome, why, err.Error())
		x.Fallback.write(c.Writer)
	} else {
		x.answer(c.Writer, response)
		_ = response.Body.Close() // cancels what is unread
	}
	x.attempt.Duration = x.waited // with Overhead it is the whole time that the bot waited
	outbound.SetSpanStatus(span, &x.attempt)
	span.SetAttributes(attrResult.String(x.result))
}

// do sends the request, and returns the response when its header has arrived. Its error is an [*outbound.Error].
func (x *exchange) do(ctx context.Context) (*http.Response, error) {
	impossible := func(err error) (*http.Response, error) {
		return nil, &outbound.Error{Outcome: event.OutcomeImpossible,
			Text: "the request cannot be made: " + err.Error()}
	}
	if x.client == nil {
		return impossible(errors.New("a file of the endpoint's tls cannot be read; the log says more"))
	}
	to, err := x.url(x.judged.rest, x.request.Query)
	if err != nil {
		return impossible(err)
	}
	endpoint := x.Endpoint
	endpoint.URL = to
	delivery := &event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: x.To, EventID: x.request.ID}, Attempts: 1}
	request, err := endpoint.NewRequest(ctx, nil, x.request, delivery, x.attempt.StartedAt)
	if err != nil {
		return impossible(err)
	}
	x.attempt.RequestHeaders = endpoint.StoredHeaders(request, nil)
	begun := time.Now()
	response, err := x.client.Do(request)
	x.waited += time.Since(begun)
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		_ = response.Body.Close()
		return nil, &outbound.Error{Outcome: event.OutcomeBroken,
			Text: "the endpoint answered 101 and wants to speak another protocol"}
	}
	return response, err
}

// report tells the breaker whether the endpoint has answered. Any status is an answer: the bot judges it. The breaker
// hears nothing of a request that could not be made, because a subscriber may cause that.
func (x *exchange) report(ctx context.Context, admitted outbound.Admission, err error) {
	failed, _ := errors.AsType[*outbound.Error](err)
	if errors.Is(context.Cause(ctx), errStopped) || failed != nil && failed.Outcome == event.OutcomeImpossible {
		x.breaker.Withdraw(admitted)
		return
	}
	answer := outbound.Answer{Outcome: event.OutcomeDelivered}
	if failed != nil {
		answer = outbound.Answer{Outcome: failed.Outcome, Err: failed.Text}
	}
	switch changed := x.breaker.Report(admitted, answer, time.Now()); {
	case changed.Opened:
		x.server.logger.Warn("the endpoint's circuit breaker opens: bots get the fallback, and one request at a time "+
			"tries the endpoint",
			"endpoint", x.To, "failed_requests", changed.Failures, "next_request_in", changed.ProbeIn)
	case changed.Closed:
		x.server.logger.Info("the endpoint's circuit breaker closes: bots get its answers again", "endpoint", x.To,
			"failed_requests", changed.Failures)
	}
}

// reasonOf returns how an attempt without a response ended, and the reason for the fallback.
func reasonOf(err error) (event.Outcome, event.Fallback) {
	failed, ok := errors.AsType[*outbound.Error](err)
	switch {
	case !ok:
		return event.OutcomeBroken, event.FallbackError
	case failed.Outcome == event.OutcomeTimeout:
		return failed.Outcome, event.FallbackDeadline
	case failed.Outcome == event.OutcomeNoConn:
		return failed.Outcome, event.FallbackRefused
	}
	return failed.Outcome, event.FallbackError
}

// setOutcome records that the bot gets the fallback.
func (x *exchange) setOutcome(outcome event.Outcome, why event.Fallback, text string) {
	x.attempt.Outcome, x.attempt.Fallback, x.attempt.Error = outcome, why, text
	x.result = resultFallback
}

// finish measures an exchange that has been answered.
func (x *exchange) finish() {
	took := time.Since(x.began)
	x.attempt.Overhead = max(took-x.waited, 0)
	x.server.measure(x, took)
}

// answeredInstead answers with the fallback of the source, if it has one, a request that is not stored and not
// forwarded.
func (s *Server) answeredInstead(ctx context.Context, w http.ResponseWriter, h *judged, reason string) bool {
	if h.source == nil || h.source.forwarder == nil {
		return false
	}
	h.source.forwarder.Fallback.write(w)
	s.countFallback(ctx, h.source.Name, reason)
	return true
}
