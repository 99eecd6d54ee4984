// Package otel sets up OpenTelemetry for a hooktape process: where its spans, metrics and log lines go, and how it ends.
//
// All three go by OTLP to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is set (the other OTEL_EXPORTER_OTLP_* variables,
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are honoured too). Else spans go to the exporter that the program hands
// over. Metrics are at /metrics and log lines in the log either way.
//
// Telemetry is never waited for: its queues are bounded, and what does not fit is dropped.
package otel
