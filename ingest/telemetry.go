package ingest

import (
	"context"
	"slices"
	"time"

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
	attrEndpoint   = attribute.Key("hooktape.endpoint")
	attrResult     = attribute.Key("hooktape.result")
	attrReason     = attribute.Key("hooktape.reason")
	attrKey        = attribute.Key("hooktape.key")
	attrBatchRows  = attribute.Key("hooktape.batch.rows")
	attrBatchToken = attribute.Key("hooktape.batch.token")
)

// unknownSource is the label of every source that is not configured: senders cannot create labels.
const unknownSource = "(unknown)"

type instruments struct {
	tracer      trace.Tracer
	requests    metric.Int64Counter
	refused     metric.Int64Counter
	shed        metric.Int64Counter
	closed      metric.Int64Counter
	panics      metric.Int64Counter
	appendTime  metric.Float64Histogram
	requestTime metric.Float64Histogram

	forwards     metric.Int64Counter
	forwardTime  metric.Float64Histogram
	overheadTime metric.Float64Histogram
	fallbacks    metric.Int64Counter
	missing      metric.Int64Counter
	lost         metric.Int64Counter
	forwarding   metric.Int64UpDownCounter
	failing      metric.Int64Gauge
}

func newInstruments() *instruments {
	m := otel.Meter(scope)
	counter := func(name, unit, what string) metric.Int64Counter {
		c, _ := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		return c
	}
	bounds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	latency := func(name, what string, more ...float64) metric.Float64Histogram {
		h, _ := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what),
			metric.WithExplicitBucketBoundaries(slices.Concat(bounds, more)...))
		return h
	}
	refused := counter("hooktape.ingest.unavailable", "{request}",
		"Accepted requests that could not be put on disk: answered with 503, or with the fallback of a source that "+
			"forwards.")
	panics := counter("hooktape.ingest.panics", "{panic}", "Requests whose handling panicked.")
	for _, c := range []metric.Int64Counter{refused, panics} {
		c.Add(context.Background(), 0) // alerts need the series from the start
	}
	shed := counter("hooktape.ingest.shed", "{request}",
		"Requests answered with 503, or with the fallback of a source that forwards, because ingest.max_memory is in "+
			"use, by sender: known (with a valid token) or unknown.")
	for _, sender := range []string{"known", "unknown"} {
		shed.Add(context.Background(), 0, metric.WithAttributes(attrSender.String(sender)))
	}
	lost := counter("hooktape.forward.unknown", "{request}",
		"Forwarded requests whose outcome is unknown, because an earlier process ended before it recorded it.")
	lost.Add(context.Background(), 0)
	forwarding, _ := m.Int64UpDownCounter("hooktape.forward.in_flight", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that are being forwarded, or whose outcome is not on disk yet, by source."))
	failing, _ := m.Int64Gauge("hooktape.forward.failing", metric.WithDescription(
		"1 while the circuit breaker of a source's endpoint is open and its bots get the fallback, else 0; by source."))
	return &instruments{
		forwards: counter("hooktape.forward.requests", "{request}",
			"Requests of sources that forward, by source and result: answered, fallback, "+
				"broken_off (by the endpoint) or bot_left."),
		forwardTime: latency("hooktape.forward.duration",
			"Time from the end of a forwarded request to the end of its answer, by source and result.", 10, 30, 60),
		overheadTime: latency("hooktape.forward.overhead",
			"The part of hooktape.forward.duration that was not spent waiting for the endpoint, by source."),
		fallbacks: counter("hooktape.forward.fallbacks", "{request}",
			"Bots that got the fallback, by source and reason: deadline, refused, failing, in_flight, error, "+
				"full (the request could not be stored), too_large, aborted, memory or panic."),
		missing: counter("hooktape.forward.missing_keys", "{answer}",
			"Answers without an expected key, by source and key."),
		lost:       lost,
		forwarding: forwarding,
		failing:    failing,
		tracer:     otel.Tracer(scope),
		requests: counter("hooktape.ingest.requests", "{request}",
			"Requests to hooks by source and verdict, and whether they were kept."),
		refused: refused,
		shed:    shed,
		closed: counter("hooktape.ingest.connections.closed", "{connection}",
			"Connections closed at a limit: address, unknown_clients, total or memory; "+
				"the new one, or the one that waited longest for a request."),
		panics: panics,
		requestTime: latency("hooktape.ingest.request.duration",
			"Time from having read a request's header to having answered it, by verdict; without forwarded requests."),
		appendTime: latency("hooktape.ingest.append.duration",
			"Time from having read a request to having it on disk."),
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
	i.requests.Add(ctx, 1, metric.WithAttributes(attrSource.String(source), attrVerdict.String(string(v)),
		attrKept.Bool(kept)))
}

// labels are the attributes of a source's measurements. They are made once, because each set is copied and sorted.
type labels struct {
	source   metric.MeasurementOption
	accepted metric.MeasurementOption
	results  map[string]metric.MeasurementOption
}

func newLabels(source string) labels {
	list := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(more, attrSource.String(source))...))
	}
	l := labels{source: list(), accepted: list(attrVerdict.String(string(event.Accepted)), attrKept.Bool(true)),
		results: map[string]metric.MeasurementOption{}}
	for _, result := range []string{resultAnswered, resultBrokenOff, resultBotLeft, resultFallback} {
		l.results[result] = list(attrResult.String(result))
	}
	return l
}

// measure counts a forwarded request that has been answered.
func (i *instruments) measure(x *exchange, took time.Duration) {
	ctx, result := context.Background(), x.labels.results[x.result]
	i.forwards.Add(ctx, 1, result)
	i.forwardTime.Record(ctx, took.Seconds(), result)
	i.overheadTime.Record(ctx, x.attempt.Overhead.Seconds(), x.labels.source)
	if x.attempt.Fallback != event.FallbackNone {
		i.fallbacks.Add(ctx, 1,
			metric.WithAttributes(attrSource.String(x.source), attrReason.String(string(x.attempt.Fallback))))
	}
}

// measureMissing counts the expected keys that an answer does not have.
func (i *instruments) measureMissing(x *exchange) {
	for _, key := range x.attempt.MissingKeys {
		i.missing.Add(context.Background(), 1,
			metric.WithAttributes(attrSource.String(x.source), attrKey.String(key)))
	}
}

// The reasons for a fallback that leave no attempt, beside those of event.Fallback and the verdicts TooLarge and
// Aborted.
const (
	fallbackFull   event.Fallback = "full"
	fallbackMemory event.Fallback = "memory"
	fallbackPanic  event.Fallback = "panic"
)

// countFallback counts a request that got the fallback of its source and was not stored.
func (i *instruments) countFallback(ctx context.Context, source string, reason event.Fallback) {
	i.forwards.Add(ctx, 1, metric.WithAttributes(attrSource.String(source), attrResult.String(resultFallback)))
	i.fallbacks.Add(ctx, 1, metric.WithAttributes(attrSource.String(source), attrReason.String(string(reason))))
}
