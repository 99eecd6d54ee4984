package otel_test

import (
	"context"
	"log/slog"
	"testing"

	api "go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"hooktape/otel"
)

// TestSample: every trace has an id, and the wanted share of them is kept.
func TestSample(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	const spans = 1000
	for _, c := range []struct {
		share       float64
		least, most int
	}{{0, 0, 0}, {0.5, 400, 600}, {1, spans, spans}} {
		kept := new(counting)
		shutdown, err := otel.Setup(t.Context(), otel.Options{ServiceName: "test", Spans: kept, Sample: c.share, Logger: slog.New(slog.DiscardHandler)})
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
			t.Errorf("share %v: %d of %d spans are kept", c.share, *kept, spans)
		}
	}
}

// counting counts spans.
type counting int

func (c *counting) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	*c += counting(len(spans))
	return nil
}

func (*counting) Shutdown(context.Context) error { return nil }
