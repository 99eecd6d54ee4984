// Package otel sets up OpenTelemetry for a hooktape process: where its spans and metrics go, and how it ends.
//
// Spans go by OTLP to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is set (the other OTEL_EXPORTER_OTLP_* variables are
// honoured too), else to the exporter that the program hands over. Telemetry is never waited for: its queue is bounded,
// and what does not fit is dropped and counted by the SDK.
package otel
