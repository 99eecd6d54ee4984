package store_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestSpans verifies that a row equals the one that the OpenTelemetry Collector's clickhouseexporter writes for the
// same span.
func TestSpans(t *testing.T) {
	d := newDB(t)
	state, _ := trace.ParseTraceState("vendor=1")
	self := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 15: 2},
		SpanID: trace.SpanID{3, 7: 4}, TraceState: state})
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: self.TraceID(), SpanID: trace.SpanID{5, 7: 6}})
	linked := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7, 15: 8},
		SpanID: trace.SpanID{9, 7: 10}, TraceState: state})
	res := resource.NewSchemaless(attribute.String("service.name", "hooktape"), attribute.Int("n", 1))
	start := dawn.Add(123456789)
	spans := tracetest.SpanStubs{
		{Name: "POST", SpanContext: self, Parent: parent, SpanKind: trace.SpanKindServer, StartTime: start,
			EndTime: start.Add(1500), Resource: res, InstrumentationScope: instrumentation.Scope{Name: "scope",
				Version: "v1"}, Status: sdktrace.Status{Code: codes.Error, Description: "why"},
			Attributes: []attribute.KeyValue{attribute.String("s", "'я\\"), attribute.Bool("b", true),
				attribute.Int64("i", -5), attribute.Float64("f", 1.5), attribute.Float64("million",
					1e6), attribute.Float64("tiny", 1e-7), attribute.StringSlice("ss", []string{"a", "b"}),
				attribute.BoolSlice("bs", []bool{true, false}),
				attribute.Int64Slice("is", []int64{1, 2}), attribute.Float64Slice("fs", []float64{1, 2.5})},
			Events: []sdktrace.Event{{Name: "e1", Time: start.Add(1),
				Attributes: []attribute.KeyValue{attribute.Int("k", 1)}}, {Name: "e2", Time: start.Add(2)}},
			Links: []sdktrace.Link{{SpanContext: linked,
				Attributes: []attribute.KeyValue{attribute.String("l", "v")}}}},
		{Name: "root", SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{2},
			SpanID: trace.SpanID{1}}), SpanKind: trace.SpanKindInternal, StartTime: dawn, EndTime: dawn, Resource: res,
			Status: sdktrace.Status{Code: codes.Ok}},
	}
	kinds := []trace.SpanKind{trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer}
	for i, kind := range kinds {
		spans = append(spans, tracetest.SpanStub{Name: kind.String(), SpanKind: kind,
			StartTime: dawn.Add(time.Duration(i)), EndTime: dawn, Resource: resource.Empty(),
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{3},
				SpanID: trace.SpanID{byte(i + 1)}})})
	}
	if err := d.SpanExporter().ExportSpans(background, spans.Snapshots()); err != nil {
		t.Fatal(err)
	}
	row := func(name string) string {
		return strings.TrimSpace(d.text(t, `SELECT formatRow('TSV', toString(Timestamp), TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
			ResourceAttributes, ScopeName, ScopeVersion, Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name, Events.Attributes,
			Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes) FROM otel_traces WHERE SpanName = '`+name+`'`))
	}
	want := strings.Join([]string{"2026-03-01 00:00:00.123456789", "01000000000000000000000000000002",
		"0300000000000004", "0500000000000006", "vendor=1", "POST", "Server", "hooktape",
		"{'n':'1','service.name':'hooktape'}", "scope", "v1", "1500", "Error", "why",
		"['2026-03-01 00:00:00.123456790','2026-03-01 00:00:00.123456791']", "['e1','e2']", "[{'k':'1'},{}]",
		"['07000000000000000000000000000008']", "['090000000000000a']", "['vendor=1']", "[{'l':'v'}]"}, "\t")
	if got := row("POST"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	want = strings.Join([]string{"2026-03-01 00:00:00.000000000", "02000000000000000000000000000000",
		"0100000000000000", "", "", "root", "Internal", "hooktape", "{'n':'1','service.name':'hooktape'}", "", "", "0",
		"Ok", "", "[]", "[]", "[]", "[]", "[]", "[]", "[]"}, "\t")
	if got := row("root"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	for key, want := range map[string]string{"s": "'я\\", "b": "true", "i": "-5", "f": "1.5", "million": "1000000",
		"tiny": "1e-7", "ss": `["a","b"]`, "bs": "[true,false]", "is": "[1,2]", "fs": "[1,2.5]", "absent": ""} {
		if got := d.text(t, "SELECT SpanAttributes['"+key+"'] FROM otel_traces WHERE SpanName = 'POST'"); got != want {
			t.Errorf("attribute %s is %q, want %q", key, got, want)
		}
	}
	if got := d.text(t,
		"SELECT arrayStringConcat(groupArray(SpanKind || ' ' || StatusCode || ' ' || ServiceName), ', ') FROM "+
			"(SELECT * FROM otel_traces WHERE TraceId LIKE '03%' ORDER BY SpanId)"); got !=
		"Client Unset , Producer Unset , Consumer Unset " {
		t.Errorf("span kinds and status codes: %s", got)
	}
	if got := d.text(t,
		"SELECT toString(Start) || toString(End) FROM otel_traces_trace_id_ts WHERE TraceId LIKE '01%'"); got != "2026-03-01 00:00:002026-03-01 00:00:00" {
		t.Errorf("the view contains %s", got)
	}

	found, err := d.Spans(background, self.TraceID().String(), start)
	if err != nil || len(found) != 1 {
		t.Fatalf("found the spans %+v, %v", found, err)
	}
	if s := found[0]; s.ID != "0300000000000004" || s.ParentID != "0500000000000006" || s.Name != "POST" ||
		s.Kind != "Server" || !s.Start.Equal(start) || s.Duration != 1500 ||
		s.Status != "Error" || len(s.Links) != 1 || s.Links[0] != linked.TraceID().String() {
		t.Errorf("read: %+v", s)
	}
}
