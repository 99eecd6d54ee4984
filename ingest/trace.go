package ingest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// serverSpan is an option of every span of a request.
var serverSpan = trace.WithSpanKind(trace.SpanKindServer)

// traced starts a server span for a request to a hook: only one, because a span costs ClickHouse about as much as an
// event. otelhttp takes labels and addresses from the sender's claims. Nearly all of them had to be overwritten, which
// cost more than the rest of the capture.
func (s *Server) traced(c *gin.Context) {
	r := c.Request
	h := judgedOf(r)
	if h == nil {
		return
	}
	ctx, options := r.Context(), []trace.SpanStartOption{serverSpan}
	// Only a trusted proxy may continue its trace; the claim of another sender becomes a link.
	claimed := otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
	if s.proxies.trust(h.peer) {
		ctx = claimed
	} else if remote := trace.SpanContextFromContext(claimed); remote.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: remote}))
	}
	method := knownMethod(r.Method)
	ctx, span := s.tracer.Start(ctx, method+" "+hookRoute, options...)
	defer func() { span.End() }()
	c.Request = r.WithContext(ctx)
	c.Next()
	if span.IsRecording() {
		span.SetAttributes(h.attributes(r, method, s.proxies.scheme(r), c.Writer.Status())...)
	}
	if status := c.Writer.Status(); status >= http.StatusInternalServerError {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(status)))
		span.SetStatus(codes.Error, http.StatusText(status))
	}
}

// attributes returns all attributes of the request's span: the SDK copies the list whenever some are added.
func (h *judged) attributes(r *http.Request, method, scheme string, status int) []attribute.KeyValue {
	client := h.client.String()
	list := append(make([]attribute.KeyValue, 0, 15),
		semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(hookRoute), semconv.URLScheme(scheme),
		semconv.URLPath(valid(h.path)), semconv.ClientAddress(client), semconv.UserAgentOriginal(valid(r.UserAgent())),
		semconv.NetworkProtocolVersion(protocolVersion(r)), semconv.HTTPResponseStatusCode(status))
	if h.peer != h.client {
		list = append(list, semconv.NetworkPeerAddress(h.peer.String()))
	}
	if h.captured != nil {
		list = append(list, attrEventID.String(h.id), attrSource.String(valid(h.captured.Source)),
			attrStep.String(valid(h.captured.Step)), attrVerdict.String(string(h.captured.Verdict)))
	}
	if h.source != nil && h.source.forwarder != nil {
		list = append(list, attrEndpoint.String(h.source.forwarder.To)) // the span is as long as the bot waits
	}
	if h.appended > 0 {
		list = append(list, attrAppended.Int64(h.appended.Microseconds()))
	}
	return list
}

// valid returns text as UTF-8. Protocol buffers refuse other text, and with one such span its whole batch is lost.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// protocolVersion returns 1.0 or 1.1, by OpenTelemetry's conventions.
func protocolVersion(r *http.Request) string { return r.Proto[len("HTTP/"):] }

// knownMethod returns a method of HTTP, and HTTP for others, by OpenTelemetry's conventions: a method may be invented.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "HTTP"
}
