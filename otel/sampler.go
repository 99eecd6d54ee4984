package otel

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampler keeps a share of the webhooks, chosen by trace id, each with its deliveries: a delivery begins a separate
// trace, which is kept if its first linked trace is. All inserts are kept: they are few, and each has many webhooks.
type sampler struct {
	share float64
	ratio sdktrace.Sampler
}

func newSampler(share float64) sdktrace.Sampler {
	return sdktrace.ParentBased(sampler{share, sdktrace.TraceIDRatioBased(share)})
}

// ShouldSample implements sdktrace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	switch {
	case p.Kind != trace.SpanKindClient: // its links are claims of the sender
	case len(p.Links) == 0 && s.share > 0:
		return sdktrace.AlwaysSample().ShouldSample(p)
	case len(p.Links) > 0 && p.Links[0].SpanContext.HasTraceID():
		p.TraceID = p.Links[0].SpanContext.TraceID()
	}
	return s.ratio.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s sampler) Description() string { return fmt.Sprintf("Webhooks{%g}", s.share) }
