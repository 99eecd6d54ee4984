package otel_test

import (
	"context"
	"log/slog"
	"testing"

	api "go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"hooktape/otel"
)

// TestSample verifies that every span has ids, and that the configured share of traces is sampled.
func TestSample(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	const spans = 1000
	for _, c := range []struct {
		share       float64
		least, most int
	}{{0, 0, 0}, {0.5, 400, 600}, {1, spans, spans}} {
		kept := new(counting)
		shutdown, err := otel.Setup(t.Context(), otel.Options{ServiceName: "test", Spans: kept, Sample: c.share,
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for range spans {
			_, span := api.Tracer("test").Start(t.Context(), "span")
			if !span.SpanContext().IsValid() {
				t.Fatalf("share %v: a span without ids", c.share)
			}
			span.End()
		}
		if err := shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if int(*kept) < c.least || int(*kept) > c.most {
			t.Errorf("share %v: %d of %d spans exported", c.share, *kept, spans)
		}
	}
}

// TestSampleOfWebhooks verifies that a delivery is sampled if its request is, that inserts are always sampled, and that
// another sender's link does not make a request sampled.
func TestSampleOfWebhooks(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	for _, share := range []float64{0, 0.5, 1} {
		shutdown, err := otel.Setup(t.Context(), otel.Options{ServiceName: "test", Spans: new(counting), Sample: share,
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		tracer, kept := api.Tracer("test"), 0
		start := func(kind trace.SpanKind, links ...trace.Link) trace.SpanContext {
			_, span := tracer.Start(context.Background(), "span", trace.WithSpanKind(kind), trace.WithLinks(links...))
			defer span.End()
			return span.SpanContext()
		}
		for range 200 {
			other := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{15: 1},
				SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
			// the smallest id, which every share includes
			request := start(trace.SpanKindServer, trace.Link{SpanContext: other})
			if request.IsSampled() {
				kept++
			}
			if delivery := start(trace.SpanKindClient,
				trace.Link{SpanContext: request}); delivery.IsSampled() != request.IsSampled() {
				t.Fatalf("share %v: request sampled %v, delivery sampled %v", share, request.IsSampled(),
					delivery.IsSampled())
			}
			if insert := start(trace.SpanKindClient); insert.IsSampled() != (share > 0) {
				t.Fatalf("share %v: insert sampled %v", share, insert.IsSampled())
			}
		}
		if share == 0.5 && (kept < 50 || kept > 150) {
			t.Errorf("%d of 200 requests sampled", kept)
		}
		if err := shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// counting is an exporter that counts spans.
type counting int

func (c *counting) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	*c += counting(len(spans))
	return nil
}

func (*counting) Shutdown(context.Context) error { return nil }
