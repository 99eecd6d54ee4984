package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// SpanExporter writes spans to otel_traces with the schema and terms of the OpenTelemetry Collector's
// clickhouseexporter; rows of the two are indistinguishable.
type SpanExporter struct{ store *Store }

var _ sdktrace.SpanExporter = SpanExporter{}

// SpanExporter returns an exporter on this store. Its Shutdown leaves the store open.
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
	context, parent := span.SpanContext(), ""
	if span.Parent().SpanID().IsValid() {
		parent = span.Parent().SpanID().String()
	}
	var events nestedEvents
	for _, e := range span.Events() {
		events.times = append(events.times, e.Time)
		events.names = append(events.names, e.Name)
		events.attributes = append(events.attributes, attributes(e.Attributes))
	}
	var links nestedLinks
	for _, l := range span.Links() {
		links.traces = append(links.traces, l.SpanContext.TraceID().String())
		links.spans = append(links.spans, l.SpanContext.SpanID().String())
		links.states = append(links.states, l.SpanContext.TraceState().String())
		links.attributes = append(links.attributes, attributes(l.Attributes))
	}
	service, _ := span.Resource().Set().Value("service.name")
	return batch.Append(
		span.StartTime(), context.TraceID().String(), context.SpanID().String(), parent, context.TraceState().String(),
		span.Name(), kindName(span.SpanKind()), service.AsString(), attributes(span.Resource().Attributes()),
		span.InstrumentationScope().Name, span.InstrumentationScope().Version, attributes(span.Attributes()),
		uint64(span.EndTime().Sub(span.StartTime())), span.Status().Code.String(), span.Status().Description,
		events.times, events.names, events.attributes, links.traces, links.spans, links.states, links.attributes,
	)
}

// nestedEvents and nestedLinks are Nested columns, with an array for each of their parts.
type nestedEvents struct {
	times      []time.Time
	names      []string
	attributes []attributes
}

type nestedLinks struct {
	traces, spans, states []string
	attributes            []attributes
}

// attributes is a value of a Map column. It saves the allocation of a Go map, which the driver would read by
// reflection.
type attributes []attribute.KeyValue

// Put implements column.IterableOrderedMap; only reads call it.
func (attributes) Put(any, any) {}

// Iterator implements column.IterableOrderedMap.
func (a attributes) Iterator() column.MapIterator { return &attributeIterator{list: a, at: -1} }

type attributeIterator struct {
	list attributes
	at   int
}

func (i *attributeIterator) Next() bool { i.at++; return i.at < len(i.list) }

func (i *attributeIterator) Key() any { return string(i.list[i.at].Key) }

func (i *attributeIterator) Value() any { return valueText(i.list[i.at].Value) }

// valueText formats a value like the Collector: everything but strings as JSON.
func valueText(v attribute.Value) string {
	switch v.Type() {
	case attribute.STRING:
		return v.AsString()
	case attribute.INT64:
		return strconv.FormatInt(v.AsInt64(), 10)
	case attribute.BOOL:
		return strconv.FormatBool(v.AsBool())
	}
	text, err := json.Marshal(v.AsInterface())
	if err != nil { // a float that JSON cannot express
		return v.String()
	}
	return string(text)
}

// kindName returns the Collector's name of a span kind.
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

// Span is one span of a trace.
type Span struct {
	ID, ParentID string
	Name, Kind   string
	Start        time.Time
	Duration     time.Duration
	Status       string
	Links        []string // trace ids
}

// Spans returns the spans of a trace that began about a time, in order of their start. It searches an hour before and
// after.
func (s *Store) Spans(ctx context.Context, traceID string, at time.Time) ([]Span, error) {
	where := &conditions{}
	where.addBetween("Timestamp", at.Add(-time.Hour), at.Add(time.Hour))
	where.add("TraceId = {}", "String", traceID)
	return collect(ctx, s.conn, "read trace", `SELECT SpanId, ParentSpanId, SpanName, SpanKind, Timestamp, Duration, StatusCode, Links.TraceId
		FROM otel_traces WHERE `+where.String()+" ORDER BY Timestamp", where.args, func(rows driver.Rows, span *Span) error {
		var nanos uint64
		err := rows.Scan(&span.ID, &span.ParentID, &span.Name, &span.Kind, &span.Start, &nanos, &span.Status,
			&span.Links)
		span.Duration = time.Duration(nanos)
		return err
	})
}
