package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// SpanExporter writes spans to otel_traces, in the schema and with the words of the OpenTelemetry Collector's
// clickhouseexporter, so that a reader cannot tell which of the two wrote a row.
type SpanExporter struct{ store *Store }

var _ sdktrace.SpanExporter = SpanExporter{}

// SpanExporter returns an exporter on this store. Shutting it down leaves the store open.
func (s *Store) SpanExporter() SpanExporter { return SpanExporter{store: s} }

const insertSpans = `otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
	ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
	Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes)`

// ExportSpans implements sdktrace.SpanExporter.
func (x SpanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return x.store.insert(ctx, "", insertSpans, func(batch driver.Batch) error {
		for _, span := range spans {
			if err := appendSpan(batch, span); err != nil {
				return fmt.Errorf("span %s: %w", span.Name(), err)
			}
		}
		return nil
	})
}

// Shutdown implements sdktrace.SpanExporter.
func (SpanExporter) Shutdown(context.Context) error { return nil }

func appendSpan(batch driver.Batch, span sdktrace.ReadOnlySpan) error {
	resource := attributeMap(span.Resource().Attributes())
	context, parent := span.SpanContext(), ""
	if span.Parent().SpanID().IsValid() {
		parent = span.Parent().SpanID().String()
	}
	events, links := span.Events(), span.Links()
	eventTimes, eventNames, eventAttributes := make([]time.Time, len(events)), make([]string, len(events)), make([]map[string]string, len(events))
	for i, e := range events {
		eventTimes[i], eventNames[i], eventAttributes[i] = e.Time, e.Name, attributeMap(e.Attributes)
	}
	linkTraces, linkSpans, linkStates, linkAttributes := make([]string, len(links)), make([]string, len(links)), make([]string, len(links)), make([]map[string]string, len(links))
	for i, l := range links {
		linkTraces[i], linkSpans[i] = l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String()
		linkStates[i], linkAttributes[i] = l.SpanContext.TraceState().String(), attributeMap(l.Attributes)
	}
	return batch.Append(
		span.StartTime(), context.TraceID().String(), context.SpanID().String(), parent, context.TraceState().String(),
		span.Name(), kindName(span.SpanKind()), resource["service.name"], resource,
		span.InstrumentationScope().Name, span.InstrumentationScope().Version, attributeMap(span.Attributes()),
		uint64(span.EndTime().Sub(span.StartTime())), span.Status().Code.String(), span.Status().Description,
		eventTimes, eventNames, eventAttributes, linkTraces, linkSpans, linkStates, linkAttributes,
	)
}

func attributeMap(attributes []attribute.KeyValue) map[string]string {
	m := make(map[string]string, len(attributes))
	for _, a := range attributes {
		m[string(a.Key)] = a.Value.Emit()
	}
	return m
}

// kindName is the Collector's word for a span kind.
func kindName(kind trace.SpanKind) string {
	switch kind {
	case trace.SpanKindServer:
		return "Server"
	case trace.SpanKindClient:
		return "Client"
	case trace.SpanKindProducer:
		return "Producer"
	case trace.SpanKindConsumer:
		return "Consumer"
	default:
		return "Internal"
	}
}
