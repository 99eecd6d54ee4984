package otel

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/trace"
)

// NewLogger returns the logger of a process. It writes each line to h and, once Setup has returned, exports it too.
// Errors before and in Setup are written to h. A line within a span has its trace_id and span_id.
func NewLogger(h slog.Handler) *slog.Logger {
	return slog.New(slog.NewMultiHandler(traced{h}, enabledBy{otelslog.NewHandler("hooktape"), h}))
}

// traced adds the ids of a line's span, which is in its context.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, line slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		line = line.Clone() // other handlers use it too
		line.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return t.Handler.Handle(ctx, line)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }

// enabledBy handles only lines that another handler handles: OpenTelemetry's has no level.
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
