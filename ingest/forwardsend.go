package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// clientSpan is an option of every span of a request to an endpoint.
var clientSpan = trace.WithSpanKind(trace.SpanKindClient)

// send sends the request and answers with what comes back, or with the fallback.
func (x *exchange) send(ctx context.Context, w http.ResponseWriter) {
	ctx, span := x.server.tracer.Start(ctx, "forward", clientSpan)
	defer span.End()
	sent := time.Now()
	response, err := x.do(ctx, sent)
	if err == nil {
		err = x.answer(w, response)
		_ = response.Body.Close() // cancels what is unread
	}
	if err != nil {
		outcome, why := reasonOf(err)
		if stopped(ctx) {
			outcome, why, err = event.OutcomeUnknown, event.FallbackError, errStopped
		}
		x.fallback(w, outcome, why, err.Error())
	}
	x.report(ctx, sent)
	x.attempt.Duration = x.waited // with Overhead it is the whole time that the bot waited
	outbound.SetSpanStatus(span, &x.attempt, slices.Concat(x.attributes, []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(knownMethod(x.judged.captured.Method)), attrEventID.String(x.judged.id),
		attrResult.String(x.result)})...)
}

// do sends the request, and returns the response when its header has arrived. Its error is an [*outbound.Error].
func (x *exchange) do(ctx context.Context, now time.Time) (*http.Response, error) {
	impossible := func(err error) (*http.Response, error) {
		return nil, &outbound.Error{Outcome: event.OutcomeImpossible,
			Text: "the request cannot be made: " + err.Error()}
	}
	if x.client == nil {
		return impossible(errors.New("a file of the endpoint's tls cannot be read; the log says more"))
	}
	if x.noURL != nil {
		return impossible(x.noURL)
	}
	delivery := &event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: x.To, EventID: x.attempt.EventID}, Attempts: 1}
	request, err := x.endpoint.NewRequest(ctx, nil, &event.Event{Received: *x.judged.captured}, delivery, now)
	if err != nil {
		return impossible(err)
	}
	x.attempt.RequestHeaders = x.endpoint.StoredHeaders(request, nil)
	response, err := x.client.Do(request)
	x.waited += time.Since(now)
	if err != nil {
		return nil, err
	}
	if text := unusable(response.StatusCode); text != "" {
		_ = response.Body.Close()
		return nil, &outbound.Error{Outcome: event.OutcomeBroken, Text: text}
	}
	return response, nil
}

// unusable returns why a response with this status cannot be passed on; "" if it can. HTTP has statuses of three digits
// (RFC 9110, section 15), and net/http panics when it has to write others.
func unusable(status int) string {
	switch {
	case status == http.StatusSwitchingProtocols:
		return "the endpoint answered 101 and wants to speak another protocol"
	case status < 200 || status > 999:
		return fmt.Sprintf("the endpoint answered with the invalid status %03d", status)
	}
	return ""
}

// report tells the breaker whether the endpoint has answered. Any status is an answer: the bot judges it. The breaker
// hears nothing of a request that could not be made, because a subscriber may cause that, and nothing of one that had
// no time: hooktape was stopped, or its disk took more than half of the deadline.
func (x *exchange) report(ctx context.Context, sent time.Time) {
	a := &x.attempt
	failed := a.Fallback != event.FallbackNone || a.Outcome == event.OutcomeBroken || a.Outcome == event.OutcomeTimeout
	noTime := stopped(ctx) || ctx.Err() != nil && sent.Sub(x.began) > x.Deadline/2
	if a.Outcome == event.OutcomeImpossible || failed && noTime {
		x.breaker.Withdraw(x.admitted)
		return
	}
	answer := outbound.Answer{Outcome: event.OutcomeDelivered}
	if failed {
		answer = outbound.Answer{Outcome: a.Outcome, Err: a.Error}
	}
	switch changed := x.breaker.Report(x.admitted, answer, time.Now()); {
	case changed.Opened:
		x.server.failing.Record(ctx, 1, x.labels.source)
		x.server.logger.Warn("the endpoint's circuit breaker opens: bots get the fallback, and one request at a time "+
			"tries the endpoint", "source", x.source, "endpoint", x.To,
			"failed_requests", changed.Failures, "next_request_in", changed.ProbeIn)
	case changed.Closed:
		x.server.failing.Record(ctx, 0, x.labels.source)
		x.server.logger.Info("the endpoint's circuit breaker closes: bots get its answers again",
			"source", x.source, "endpoint", x.To, "failed_requests", changed.Failures)
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
