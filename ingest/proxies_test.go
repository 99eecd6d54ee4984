package ingest_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hooktape/ingest"
	"hooktape/internal/event"
)

func TestRemoteAddress(t *testing.T) {
	// The peer of every request is 127.0.0.1.
	proxied := newServer(t, func(c *config) {
		trusting(c)
		c.options.TrustedProxies = append(c.options.TrustedProxies, netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("2001:db8:ffff::/48"))
	})
	direct := newServer(t, nil)
	for _, c := range []struct {
		name    string
		headers []string
		want    string // with a trusted proxy
	}{
		{"nothing", nil, "127.0.0.1"},
		{"one", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"spoofed before", []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		{"two lines", []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1,10.1.1.1"}, "192.0.2.1"},
		{"all trusted", []string{"X-Forwarded-For: 10.2.2.2, 10.1.1.1"}, "10.2.2.2"},
		{"IPv6", []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with port", []string{"X-Forwarded-For: [2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 with zone", []string{"X-Forwarded-For: fe80::1%eth0"}, "fe80::1"},
		{"IPv4 with port", []string{"X-Forwarded-For: 192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv4 in IPv6", []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1"},
		{"trusted IPv4 in IPv6", []string{"X-Forwarded-For: 192.0.2.1, ::ffff:10.1.1.1"}, "192.0.2.1"},
		{"trusted IPv6", []string{"X-Forwarded-For: 192.0.2.1, 2001:db8:ffff::9"}, "192.0.2.1"},
		{"garbage", []string{"X-Forwarded-For: unknown"}, "127.0.0.1"},
		{"garbage before", []string{"X-Forwarded-For: <script>, 192.0.2.1"}, "192.0.2.1"},
		{"garbage behind", []string{"X-Forwarded-For: 192.0.2.1, garbage"}, "127.0.0.1"},
		{"garbage before a proxy", []string{"X-Forwarded-For: garbage, 10.1.1.1"}, "10.1.1.1"},
		{"empty", []string{"X-Forwarded-For:"}, "127.0.0.1"},
		{"commas", []string{"X-Forwarded-For: ,, 192.0.2.1 ,"}, "127.0.0.1"},
		{"number too large", []string{"X-Forwarded-For: 192.0.2.256"}, "127.0.0.1"},
		{"octal", []string{"X-Forwarded-For: 0300.0.2.1"}, "127.0.0.1"},
		{"Forwarded", []string{"Forwarded: for=192.0.2.1;proto=https;by=10.1.1.1"}, "192.0.2.1"},
		{"Forwarded, any case and quotes", []string{`Forwarded: proto=https; FOR="192.0.2.1:4711"`}, "192.0.2.1"},
		{"Forwarded IPv6", []string{`Forwarded: for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"Forwarded, spoofed before", []string{"Forwarded: for=6.6.6.6, for=192.0.2.1", "Forwarded: for=10.1.1.1"},
			"192.0.2.1"},
		{"Forwarded, hidden", []string{"Forwarded: for=_secret"}, "127.0.0.1"},
		{"Forwarded, open quote before", []string{`Forwarded: for=", for=192.0.2.1`}, "192.0.2.1"},
		{"Forwarded without for", []string{"Forwarded: proto=https"}, "127.0.0.1"},
		// Most proxies write X-Forwarded-For and pass any Forwarded header of a client on.
		{"Forwarded of the client, X-Forwarded-For of the proxy",
			[]string{"Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"X-Real-IP is ignored", []string{"X-Real-IP: 6.6.6.6"}, "127.0.0.1"},
	} {
		proxied.post("/hooks/demo/"+token, "{}", c.headers...)
		if got := proxied.one().RemoteIP; got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		direct.post("/hooks/demo/"+token, "{}", c.headers...)
		if got := direct.one().RemoteIP; got != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%s, without a trusted proxy: %s", c.name, got)
		}
	}
}

// TestTrace verifies that a trusted proxy's trace is continued, and that another sender's trace is only linked and
// cannot disable sampling.
func TestTrace(t *testing.T) {
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	parent := "traceparent: 00-" + traceID + "-" + spanID + "-01"
	serverSpan := func(s *server, headers ...string) (tracetest.SpanStub, trace.TraceID) {
		t.Helper()
		spans.Reset()
		s.post("/hooks/demo/"+token+"/start", "{}", headers...)
		e := s.one()
		s.stop()
		all := spans.GetSpans()
		if len(all) != 1 {
			t.Fatalf("%d spans of a request: %v", len(all), all)
		}
		found := all[0]
		if found.SpanContext.SpanID() != trace.SpanID(e.SpanID) ||
			found.SpanContext.TraceID() != trace.TraceID(e.TraceID) || found.SpanKind != trace.SpanKindServer {
			t.Errorf("the event has span %x of trace %x, the server %v (%v)", e.SpanID, e.TraceID, found.SpanContext,
				found.SpanKind)
		}
		return found, found.SpanContext.TraceID()
	}
	if span, id := serverSpan(newServer(t, trusting), parent); id.String() != traceID ||
		span.Parent.SpanID().String() != spanID {
		t.Errorf("from a proxy: trace %s, parent %s", id, span.Parent.SpanID())
	}
	span, id := serverSpan(newServer(t, nil), parent)
	if id.String() == traceID || span.Parent.IsValid() || len(span.Links) != 1 ||
		span.Links[0].SpanContext.TraceID().String() != traceID {
		t.Errorf("from an unknown sender: trace %s, parent %s, links %v", id, span.Parent.SpanID(), span.Links)
	}
	serverSpan(newServer(t, nil), strings.Replace(parent, "-01", "-00", 1))
	for _, broken := range []string{"traceparent: nonsense",
		"traceparent: 00-00000000000000000000000000000000-0000000000000000-01", "traceparent:"} {
		if span, _ := serverSpan(newServer(t, trusting), broken); span.Parent.IsValid() {
			t.Errorf("%s: parent %v", broken, span.Parent)
		}
	}

	span, _ = serverSpan(newServer(t, nil), "X-Forwarded-For: 6.6.6.6", "User-Agent: BotHelp")
	attributes := map[string]string{}
	for _, kv := range span.Attributes {
		attributes[string(kv.Key)] = kv.Value.String()
	}
	for key, want := range map[string]string{"http.request.method": "POST",
		"http.route": "/hooks/{source}/{token}/{step}", "url.path": "/hooks/demo/***/start",
		"client.address": "127.0.0.1", "http.response.status_code": "200", "hooktape.source": "demo",
		"hooktape.step": "start", "hooktape.verdict": "accepted", "user_agent.original": "BotHelp"} {
		if attributes[key] != want {
			t.Errorf("span attribute %s is %q, want %q", key, attributes[key], want)
		}
	}
	if micros, err := strconv.Atoi(attributes["hooktape.append.duration_us"]); err != nil || micros <= 0 ||
		micros > int(span.EndTime.Sub(span.StartTime).Microseconds()) {
		t.Errorf("span attribute for the append is %q, the span took %v", attributes["hooktape.append.duration_us"],
			span.EndTime.Sub(span.StartTime))
	}
	if id, err := uuid.Parse(attributes["hooktape.event.id"]); err != nil || id.Version() != 7 {
		t.Errorf("span attribute for the event's id is %q", attributes["hooktape.event.id"])
	}
	if peer, there := attributes["network.peer.address"]; there {
		t.Errorf("the peer's address is recorded although the client is the peer: %q", peer)
	}
	span, _ = serverSpan(newServer(t, trusting), "X-Forwarded-For: 6.6.6.6")
	if got := attribute.NewSet(span.Attributes...); !got.HasValue("network.peer.address") {
		t.Errorf("the peer's address is missing for a client behind a proxy: %v", span.Attributes)
	}
}

// TestProxiesHandler verifies that the wrapped handler sees the client's address, which only a trusted proxy can set.
func TestProxiesHandler(t *testing.T) {
	var seen string
	handler := ingest.Proxies{netip.MustParsePrefix("10.0.0.0/8")}.Handler(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		seen = r.RemoteAddr
	}))
	for peer, want := range map[string]string{"10.1.1.1:4711": "[2001:db8::1]:0", "192.0.2.1:4711": "192.0.2.1:4711"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "2001:db8::1")
		if handler.ServeHTTP(httptest.NewRecorder(), r); seen != want || r.RemoteAddr != peer {
			t.Errorf("from %s: client %s, want %s; RemoteAddr %s, want it unchanged", peer, seen, want, r.RemoteAddr)
		}
	}
}

// TestUntracedEventHasItsTraceID verifies that an event that is not sampled has a trace id and a span id.
func TestUntracedEventHasItsTraceID(t *testing.T) {
	sampling := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans),
		sdktrace.WithSampler(sdktrace.NeverSample())))
	s := newServer(t, nil)
	otel.SetTracerProvider(sampling)
	spans.Reset()
	s.post("/hooks/demo/"+token+"/start", "{}")
	e := s.one()
	s.stop()
	if !trace.TraceID(e.TraceID).IsValid() || !trace.SpanID(e.SpanID).IsValid() || e.Verdict != event.Accepted {
		t.Errorf("trace %x, span %x, %s", e.TraceID, e.SpanID, e.Verdict)
	}
	if all := spans.GetSpans(); len(all) != 0 {
		t.Errorf("spans: %v", all)
	}
}
