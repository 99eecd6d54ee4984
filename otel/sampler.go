package otel

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampler samples a share of the webhooks, chosen by trace id, together with their deliveries. A delivery begins its
// own trace, which is sampled if the first trace that it links to is. All inserts are sampled, because they are few and
// each links to many webhooks.
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
