package replay

import (
	"strings"

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
	attrState    = attribute.Key("hooktape.state")
)

type instruments struct {
	tracer   trace.Tracer
	attempts metric.Int64Counter
	duration metric.Float64Histogram
	inFlight metric.Int64UpDownCounter
	ended    metric.Int64Counter
	missing  metric.Int64Counter
}

func newInstruments() *instruments {
	m := otel.Meter(scope)
	i := &instruments{tracer: otel.Tracer(scope)}
	i.attempts, _ = m.Int64Counter("hooktape.delivery.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver an event, by endpoint and outcome."))
	i.duration, _ = m.Float64Histogram("hooktape.delivery.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from sending an event to having the endpoint's answer, by endpoint and outcome."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	i.inFlight, _ = m.Int64UpDownCounter("hooktape.delivery.in_flight", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts whose answer is awaited, by endpoint."))
	i.ended, _ = m.Int64Counter("hooktape.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries that came to their end, by endpoint and state: delivered or failed."))
	i.missing, _ = m.Int64Counter("hooktape.delivery.missing", metric.WithUnit("{event}"),
		metric.WithDescription("Stored events that an audit found without a delivery, by endpoint: 0 unless something is wrong. They are delivered then."))
	return i
}

// endpointLabel is an endpoint's name as metrics, spans and logs have it. There are as many as the configuration names: all
// replays to a URL share one, for anyone with a token may think of URLs, and many a receiver has its secret in the path.
func endpointLabel(name string) attribute.KeyValue {
	if strings.Contains(name, "://") {
		name = "(url)"
	}
	return attrEndpoint.String(name)
}
