package otel_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"hooktape/otel"
)

// TestLogger verifies that lines before Setup are written to the log; that after Setup both the log and the export get
// each line of at least the same level; and that a line within a span has its ids.
func TestLogger(t *testing.T) {
	var text bytes.Buffer
	logger := otel.NewLogger(slog.NewTextHandler(&text, nil))
	logger.Info("early")
	sent := new(lines)
	api.SetLoggerProvider(log.NewLoggerProvider(log.WithProcessor(log.NewSimpleProcessor(sent))))

	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 15: 2},
		SpanID: trace.SpanID{3, 7: 4}})
	ctx := trace.ContextWithSpanContext(context.Background(), span)
	logger.DebugContext(ctx, "too small")
	logger.InfoContext(ctx, "of a span", "n", 1)
	logger.With("endpoint", "crm").Warn("of none")

	const ids = "trace_id=01000000000000000000000000000002 span_id=0300000000000004"
	for _, want := range []string{"msg=early\n", `msg="of a span" n=1 ` + ids + "\n",
		`msg="of none" endpoint=crm` + "\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log does not contain %q:\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "too small") || len(*sent) != 2 {
		t.Fatalf("exported %d lines, the log has\n%s", len(*sent), &text)
	}
	first, second := (*sent)[0], (*sent)[1]
	if first.Body().AsString() != "of a span" || first.TraceID() != span.TraceID() || first.SpanID() != span.SpanID() ||
		first.AttributesLen() != 1 {
		t.Errorf("exported %v of trace %s, span %s, with %d attributes", first.Body(), first.TraceID(), first.SpanID(),
			first.AttributesLen())
	}
	if second.Body().AsString() != "of none" || second.TraceID().IsValid() || second.SeverityText() != "WARN" {
		t.Errorf("exported %v of trace %s, %s", second.Body(), second.TraceID(), second.SeverityText())
	}
}

// lines records exported lines.
type lines []log.Record

func (l *lines) Export(_ context.Context, records []log.Record) error {
	for _, r := range records {
		*l = append(*l, r.Clone())
	}
	return nil
}

func (*lines) Shutdown(context.Context) error   { return nil }
func (*lines) ForceFlush(context.Context) error { return nil }
