package outbound

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
)

// AttrOutcome is the attribute of spans and metrics that has an attempt's outcome.
const AttrOutcome = attribute.Key("hooktape.outcome")

// SetSpanStatus records an attempt's result in its span, in hooktape's words only: the endpoint's may quote the
// request. It also sets more attributes: the SDK copies the list whenever some are added.
func SetSpanStatus(span trace.Span, a *event.Attempt, more ...attribute.KeyValue) {
	list := append(more, AttrOutcome.String(string(a.Outcome)))
	if a.StatusCode != 0 {
		list = append(list, semconv.HTTPResponseStatusCode(int(a.StatusCode)))
	}
	switch {
	case a.Outcome.OK():
	case a.Outcome == event.OutcomeStatus:
		list = append(list, semconv.ErrorTypeKey.String(strconv.Itoa(int(a.StatusCode))))
		span.SetStatus(codes.Error, "")
	default:
		list = append(list, semconv.ErrorTypeKey.String(string(a.Outcome)))
		span.SetStatus(codes.Error, string(a.Outcome))
	}
	span.SetAttributes(list...)
}
