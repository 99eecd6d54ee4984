package ingest

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// traced puts a server span around a request to a hook. otelhttp would do, but it takes labels and addresses from what
// the sender claims, of which nearly all had to be overwritten, and that cost more than the rest of the capture.
func (s *Server) traced(c *gin.Context) {
	r := c.Request
	h, ok := r.Context().Value(judgedKey{}).(judged)
	if !ok {
		return
	}
	ctx, options := r.Context(), []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(knownMethod(r.Method)), semconv.HTTPRoute(hookRoute), semconv.URLScheme("http"),
		semconv.URLPath(h.path), semconv.ClientAddress(h.client.String()), semconv.NetworkPeerAddress(h.peer.String()),
		semconv.UserAgentOriginal(r.UserAgent()), semconv.NetworkProtocolVersion(r.Proto[len("HTTP/"):]))}
	// Only a proxy of ours may say that the request is a part of its trace; of others' word there is a link.
	claimed := otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
	if s.proxies.trust(h.peer) {
		ctx = claimed
	} else if remote := trace.SpanContextFromContext(claimed); remote.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: remote}))
	}
	ctx, span := s.tracer.Start(ctx, knownMethod(r.Method)+" "+hookRoute, options...)
	defer func() { span.End() }()
	c.Request = r.WithContext(ctx)
	c.Next()
	span.SetAttributes(semconv.HTTPResponseStatusCode(c.Writer.Status()))
	if c.Writer.Status() >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(c.Writer.Status()))
	}
}

// knownMethod is by OpenTelemetry's conventions: a method that is none of HTTP's is anyone's invention.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "HTTP"
}
