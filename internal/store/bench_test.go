package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hooktape/internal/event"
)

const benchRows = 10_000

// BenchmarkInsertEvents stores batches of 10,000 events like BotHelp's.
func BenchmarkInsertEvents(b *testing.B) {
	s := newDB(b)
	events := make([]event.Event, benchRows)
	created := time.Unix(1499947711, 0)
	for i := range events {
		events[i] = event.Event{
			Received: event.Received{ID: uuid.Must(uuid.NewV7()), ReceivedAt: time.Now(), Source: "demo", Step: "start",
				Verdict: event.Accepted, Method: "POST", Path: "/hooks/demo/***/start",
				RemoteIP: netip.MustParseAddr("192.0.2.1"), Body: make([]byte, 550),
				Headers: []event.Header{{Name: "Accept", Value: "*/*"}, {Name: "Content-Length", Value: "550"},
					{Name: "Content-Type", Value: "application/json"}, {Name: "Host", Value: "hooks.example.org"},
					{Name: "User-Agent", Value: "BotHelp"}}},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(i), Name: "John Wick",
				FirstName: "John", LastName: "Wick", Email: fmt.Sprintf("john%d@example.com", i), UTMSource: "VK",
				CreatedAt: &created, Fields: map[string]string{"age": "21", "position": "CEO"}},
		}
	}
	for b.Loop() {
		if err := s.InsertEvents(context.Background(), "", events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkExportSpans stores batches of 10,000 spans.
func BenchmarkExportSpans(b *testing.B) {
	s := newDB(b)
	res := resource.NewSchemaless(attribute.String("service.name", "hooktape"),
		attribute.String("service.version", "1"), attribute.String("telemetry.sdk.language", "go"))
	stubs := make(tracetest.SpanStubs, benchRows)
	for i := range stubs {
		stubs[i] = tracetest.SpanStub{Name: "POST /hooks/{source}/{token}/{step}", StartTime: time.Now(),
			EndTime: time.Now(), Resource: res, Attributes: []attribute.KeyValue{attribute.String("http.request.method",
				"POST"), attribute.String("url.path", "/hooks/demo/***/start"),
				attribute.String("url.scheme", "http"), attribute.Int("http.response.status_code",
					200), attribute.String("hooktape.event.id", uuid.NewString()),
				attribute.String("client.address", "192.0.2.1"), attribute.String("user_agent.original",
					"BotHelp"), attribute.Int("network.peer.port", 4711)}}
	}
	spans := stubs.Snapshots()
	var _ []sdktrace.ReadOnlySpan = spans
	for b.Loop() {
		if err := s.SpanExporter().ExportSpans(context.Background(), spans); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "spans/s")
}
