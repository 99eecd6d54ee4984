package otel

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/trace"
)

// NewLogger makes the logger of a process. Each line goes to h and, from Setup on, to where Setup sends log lines; so that
// what goes wrong before it, or in it, is said by h. A line that is logged within a span has its trace_id and span_id.
func NewLogger(h slog.Handler) *slog.Logger {
	return slog.New(slog.NewMultiHandler(traced{h}, enabledBy{otelslog.NewHandler("hooktape"), h}))
}

// traced adds the span that a line belongs to, which only its context knows.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, line slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		line = line.Clone() // other handlers have it as well
		line.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return t.Handler.Handle(ctx, line)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }

// enabledBy takes the lines that another handler takes: OpenTelemetry's knows no level.
type enabledBy struct {
	slog.Handler
	other slog.Handler
}

func (e enabledBy) Enabled(ctx context.Context, level slog.Level) bool {
	return e.other.Enabled(ctx, level) && e.Handler.Enabled(ctx, level)
}

func (e enabledBy) WithAttrs(attrs []slog.Attr) slog.Handler {
	return enabledBy{e.Handler.WithAttrs(attrs), e.other}
}

func (e enabledBy) WithGroup(name string) slog.Handler {
	return enabledBy{e.Handler.WithGroup(name), e.other}
}
