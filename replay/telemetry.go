package replay

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const scope = "hooktape/replay"

const (
	attrEventID  = attribute.Key("hooktape.event.id")
	attrReplayID = attribute.Key("hooktape.replay.id")
	attrEndpoint = attribute.Key("hooktape.endpoint")
	attrAttempt  = attribute.Key("hooktape.attempt")
	attrOutcome  = attribute.Key("hooktape.outcome")
	attrRows     = attribute.Key("hooktape.batch.rows")
)

type instruments struct {
	tracer   trace.Tracer
	attempts metric.Int64Counter
	duration metric.Float64Histogram
}

func newInstruments() *instruments {
	m := otel.Meter(scope)
	attempts, _ := m.Int64Counter("hooktape.delivery.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver an event, by endpoint and outcome."))
	duration, _ := m.Float64Histogram("hooktape.delivery.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from sending an event to having the endpoint's answer."))
	return &instruments{tracer: otel.Tracer(scope), attempts: attempts, duration: duration}
}
