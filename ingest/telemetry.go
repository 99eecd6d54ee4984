package ingest

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
)

const scope = "hooktape/ingest"

// hooktape's own attributes; all others are OpenTelemetry's semantic conventions.
const (
	attrEventID    = attribute.Key("hooktape.event.id")
	attrSource     = attribute.Key("hooktape.source")
	attrStep       = attribute.Key("hooktape.step")
	attrVerdict    = attribute.Key("hooktape.verdict")
	attrAppended   = attribute.Key("hooktape.append.duration_us")
	attrKept       = attribute.Key("hooktape.kept")
	attrSender     = attribute.Key("hooktape.sender")
	attrLimit      = attribute.Key("hooktape.limit")
	attrConnection = attribute.Key("hooktape.connection")
	attrBatchRows  = attribute.Key("hooktape.batch.rows")
	attrBatchBytes = attribute.Key("hooktape.batch.bytes")
	attrBatchToken = attribute.Key("hooktape.batch.token")
)

// unknownSource is the label of every source that is not configured: senders cannot create labels.
const unknownSource = "(unknown)"

var latencyBuckets = metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5)

type instruments struct {
	tracer      trace.Tracer
	requests    metric.Int64Counter
	refused     metric.Int64Counter
	shed        metric.Int64Counter
	closed      metric.Int64Counter
	panics      metric.Int64Counter
	appendTime  metric.Float64Histogram
	requestTime metric.Float64Histogram
}

func newInstruments() *instruments {
	m := otel.Meter(scope)
	counter := func(name, unit, what string) metric.Int64Counter {
		c, _ := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		return c
	}
	refused := counter("hooktape.ingest.unavailable", "{request}", "Accepted requests answered with 503 because they could not be put on disk.")
	panics := counter("hooktape.ingest.panics", "{panic}", "Requests whose handling panicked.")
	for _, c := range []metric.Int64Counter{refused, panics} {
		c.Add(context.Background(), 0) // alerts need the series from the start
	}
	requestTime, _ := m.Float64Histogram("hooktape.ingest.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from having read a request's header to having answered it, by verdict."), latencyBuckets)
	appendTime, _ := m.Float64Histogram("hooktape.ingest.append.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from having read a request to having it on disk."), latencyBuckets)
	shed := counter("hooktape.ingest.shed", "{request}", "Requests answered with 503 because ingest.max_memory is in use, by sender: known (with a valid token) or unknown.")
	for _, sender := range []string{"known", "unknown"} {
		shed.Add(context.Background(), 0, metric.WithAttributes(attrSender.String(sender)))
	}
	return &instruments{
		tracer:   otel.Tracer(scope),
		requests: counter("hooktape.ingest.requests", "{request}", "Requests to hooks by source and verdict, and whether they were kept."),
		refused:  refused,
		shed:     shed,
		closed: counter("hooktape.ingest.connections.closed", "{connection}", "Connections closed at a limit: address, unknown_clients, total or memory; "+
			"the new one, or the one that waited longest for a request."),
		panics:      panics,
		requestTime: requestTime,
		appendTime:  appendTime,
	}
}

// observe exports the reserved memory as a metric.
func (m *memory) observe() {
	_, _ = otel.Meter(scope).Int64ObservableUpDownCounter("hooktape.ingest.memory", metric.WithUnit("By"),
		metric.WithDescription("Bytes that requests in flight have reserved of ingest.max_memory."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			o.Observe(m.used)
			return nil
		}))
}

// count counts a request by verdict. The source of a rejected request may be invented.
func (i *instruments) count(ctx context.Context, source string, v event.Verdict, kept bool) {
	if v == event.UnknownSource || source == "" {
		source = unknownSource
	}
	i.requests.Add(ctx, 1, metric.WithAttributes(attrSource.String(source), attrVerdict.String(string(v)), attrKept.Bool(kept)))
}
