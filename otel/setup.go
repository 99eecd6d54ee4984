// Package otel sets up OpenTelemetry for a hooktape process: where its spans, metrics and log lines go, and how it
// ends.
//
// If OTEL_EXPORTER_OTLP_ENDPOINT is set, all three go by OTLP to a collector (the other OTEL_EXPORTER_OTLP_* variables,
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are honoured too). Otherwise spans go to the program's own exporter.
// In both cases metrics are at /metrics, and log lines in the log.
//
// Nothing waits for telemetry: its queues are bounded, and excess is dropped.
package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"golang.org/x/time/rate"
)

// Options configure a process's telemetry.
type Options struct {
	ServiceName string // service.name
	Version     string // service.version
	// Spans exports the spans if no OTLP endpoint is set.
	Spans sdktrace.SpanExporter
	// Sample is the share of webhooks whose traces are sampled, from 0 to 1: the trace of the request and those of its
	// deliveries. A trace that a trusted peer began is sampled if the peer samples it. Every webhook has ids.
	Sample float64
	// Registry receives the metrics for /metrics. Nil exports none.
	Registry prometheus.Registerer
	Logger   *slog.Logger
}

// At 8,000 spans a second the queue lasts two seconds. The cost of a span for ClickHouse and its merges falls with the
// size of the insert: in batches of 8,192 it is a quarter less than in batches of 4,096. Queue and batch need 50 MB at
// most.
const (
	spanQueue   = 16384
	spanBatch   = 8192
	spanDelay   = 2 * time.Second
	spanTimeout = 10 * time.Second
)

// Setup installs the global tracer, meter and logger providers and the W3C propagator, and begins to measure the
// process and Go's runtime. The returned function flushes and ends them; it must be called once, while the exporter
// still works.
func Setup(ctx context.Context, o Options) (shutdown func(context.Context) error, err error) {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithService(), // a service.instance.id, random
		resource.WithAttributes(semconv.ServiceName(o.ServiceName),
			semconv.ServiceVersion(o.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}
	otel.SetErrorHandler(onceAMinute(o.Logger))
	otel.SetTextMapPropagator(propagation.TraceContext{})

	spans := o.Spans
	readers := []metric.Option{metric.WithResource(res)}
	logs := []log.LoggerProviderOption{log.WithResource(res)}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		to, err := newCollector(ctx)
		if err != nil {
			return nil, err
		}
		spans = to.spans
		readers = append(readers, metric.WithReader(metric.NewPeriodicReader(to.metrics)))
		logs = append(logs, log.WithProcessor(log.NewBatchProcessor(to.logs)))
	}
	if o.Registry != nil {
		exporter, err := promexporter.New(promexporter.WithRegisterer(o.Registry))
		if err != nil {
			return nil, fmt.Errorf("exporter for Prometheus: %w", err)
		}
		readers = append(readers, metric.WithReader(exporter))
	}

	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSampler(newSampler(o.Sample)),
		sdktrace.WithBatcher(spans,
			sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithMaxExportBatchSize(spanBatch),
			sdktrace.WithBatchTimeout(spanDelay), sdktrace.WithExportTimeout(spanTimeout)))
	meters := metric.NewMeterProvider(readers...)
	loggers := log.NewLoggerProvider(logs...)
	otel.SetTracerProvider(tracers)
	otel.SetMeterProvider(meters)
	otel.SetLoggerProvider(loggers)
	return func(ctx context.Context) error {
		return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx), loggers.Shutdown(ctx))
	}, errors.Join(runtime.Start(), observeProcess())
}

// collector has the exporters to OTEL_EXPORTER_OTLP_ENDPOINT.
type collector struct {
	spans   sdktrace.SpanExporter
	metrics metric.Exporter
	logs    log.Exporter
}

func newCollector(ctx context.Context) (c collector, err error) {
	if c.spans, err = otlptracehttp.New(ctx); err != nil {
		return c, fmt.Errorf("OTLP span exporter: %w", err)
	}
	if c.metrics, err = otlpmetrichttp.New(ctx); err != nil {
		return c, fmt.Errorf("OTLP metric exporter: %w", err)
	}
	if c.logs, err = otlploghttp.New(ctx); err != nil {
		return c, fmt.Errorf("OTLP log exporter: %w", err)
	}
	return c, nil
}

// onceAMinute logs the SDK's errors, such as an exporter that cannot reach its server, at most once a minute.
func onceAMinute(logger *slog.Logger) otel.ErrorHandler {
	now := rate.Sometimes{Interval: time.Minute}
	return otel.ErrorHandlerFunc(func(err error) {
		now.Do(func() { logger.Warn("telemetry is being lost", "error", err) })
	})
}
