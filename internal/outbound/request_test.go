package outbound

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

func aDelivery(body []byte, headers ...event.Header) (*event.Delivery, *event.Event) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	e := &event.Event{Received: event.Received{ID: event.NewID(now), ReceivedAt: now, Method: "POST", Headers: headers,
		Body: body}}
	return &event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: uuid.New(), Endpoint: "crm", EventID: e.ID},
		Attempts: 1}, e
}

// TestHeadersReplace verifies that an endpoint's headers replace the event's, a replay's replace both, and hooktape's
// replace all, and that recorded headers contain no secret.
func TestHeadersReplace(t *testing.T) {
	d, e := aDelivery(nil, event.Header{Name: "x-a", Value: "event"}, event.Header{Name: "X-A", Value: "event"},
		event.Header{Name: "X-B", Value: "event"}, event.Header{Name: "X-C", Value: "event"},
		event.Header{Name: "Authorization", Value: "event"}, event.Header{Name: "Webhook-Id", Value: "event"})
	ep := endpointAt("http://example.com/hooks?token=x")
	ep.Headers = []event.Header{{Name: "X-a", Value: "endpoint"}, {Name: "X-B", Value: "endpoint"},
		{Name: "x-b", Value: "endpoint 2"}, {Name: "Authorization", Value: "Bearer endpoint"}}
	ep.Sign.Secrets = []string{newSecret}
	extra := []event.Header{{Name: "x-B", Value: "replay"}, {Name: "X-D", Value: "replay"},
		{Name: "Cookie", Value: "a=b"}}
	r, err := ep.NewRequest(context.Background(), extra, e, d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"X-A": {"endpoint"}, "X-B": {"replay"}, "X-C": {"event"},
		"X-D": {"replay"}, "Authorization": {"Bearer endpoint"}, "Cookie": {"a=b"}, "Webhook-Id": {d.IdempotencyKey()},
		"X-Hooktape-Event-Id": {e.ID.String()}, "X-Hooktape-Replay-Id": {d.ReplayID.String()},
		"X-Hooktape-Attempt": {"1"}, "X-Hooktape-Received-At": {"2026-03-04T12:00:00Z"},
		"Idempotency-Key": {d.IdempotencyKey()}} {
		if got := r.Header[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	kept := map[string]string{}
	for _, h := range ep.StoredHeaders(r, extra) {
		kept[h.Name] += h.Value
	}
	for name, want := range map[string]string{"X-A": "***", "X-B": "***", "X-C": "event", "X-D": "***",
		"Authorization": "***", "Cookie": "***", "Webhook-Signature": "***", "Webhook-Id": d.IdempotencyKey(),
		"X-Hooktape-Attempt": "1"} {
		if kept[name] != want {
			t.Errorf("%s was recorded as %q, want %q", name, kept[name], want)
		}
	}
	if r.URL.String() != ep.URL {
		t.Errorf("sent to %s", r.URL)
	}
	ep.Headers = []event.Header{{Name: "X-B", Value: "endpoint"}, {Name: "x-b", Value: "endpoint 2"}}
	if r, _ = ep.NewRequest(context.Background(), nil, e, d, time.Now()); !reflect.DeepEqual(r.Header["X-B"],
		[]string{"endpoint", "endpoint 2"}) {
		t.Errorf("name with two values: %q", r.Header["X-B"])
	}
}

func TestCheckHeader(t *testing.T) {
	for _, good := range []string{"Authorization", "cookie", "User-Agent", "X-Key", "Content-Type", "X-Forwarded-For",
		"Webhook-Token"} {
		if err := CheckHeader(event.Header{Name: good, Value: "secret é"}); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "X Key", "X:Key", "X-Ключ", "host", "Content-Length", "TRANSFER-ENCODING",
		"Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Expect", "Proxy-Authorization", "x-hooktape-attempt",
		"X-Hooktape-Anything", "idempotency-key", "Webhook-Id", "webhook-signature", "Webhook-Timestamp", "traceparent",
		"Tracestate", "Baggage"} {
		if CheckHeader(event.Header{Name: bad, Value: "x"}) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, bad := range []string{"secret\r\nX: y", "secret\n", "secret\x00"} {
		err := CheckHeader(event.Header{Name: "X-Key", Value: bad})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestProxyHeadersStayHere verifies that headers of a CDN or proxy in front of hooktape are not sent to an endpoint,
// which may be behind one itself.
func TestProxyHeadersStayHere(t *testing.T) {
	// Cloudflare
	proxies := []string{"CF-Connecting-IP", "CF-RAY", "cf-ipcountry", "CF-Visitor", "CDN-Loop", "True-Client-IP",
		// Fastly, Akamai
		"Cf-Access-Jwt-Assertion", "Fastly-Client-IP", "Fastly-FF", "X-Varnish", "X-Timer", "Akamai-Origin-Hop",
		// AWS
		"X-Akamai-Edgescape", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "CloudFront-Viewer-Country", "X-Amzn-Tls-Version",
		// Azure
		"X-Azure-ClientIP", "X-Azure-FDID", "X-FD-HealthProbe", "X-AppGW-Trace-Id", "X-Original-Host", "X-ARR-LOG-ID",
		// GCP, Fly, Vercel
		"X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "X-Cloud-Trace-Context", "X-AppEngine-Country",
		// Envoy, nginx
		"Fly-Client-IP", "Fly-Forwarded-Port", "X-Vercel-Id", "x-vercel-ip-country", "X-Envoy-External-Address",
		"X-Request-Id", "X-B3-TraceId", "X-Forwarded-Client-Cert", "X-Real-IP", "X-Scheme", "X-Original-Forwarded-For",
		"X-Forwarded-For", "X-Forwarded-Ssl", "X-Forwarded-Prefix", "Forwarded", "Via", "X-Request-Start"}
	own := []string{"Content-Type", "User-Agent", "Accept", "X-Wh-Sign", "X-Custom", "Accept-Language"}
	var headers []event.Header
	for _, name := range append(append([]string{"Authorization", "Cookie"}, proxies...), own...) {
		headers = append(headers, event.Header{Name: name, Value: "event"})
	}
	d, e := aDelivery(nil, headers...)
	ep := endpointAt("http://example.com/")
	r, err := ep.NewRequest(context.Background(), nil, e, d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"Authorization", "Cookie"}, proxies...) {
		if got := r.Header.Values(name); len(got) > 0 {
			t.Errorf("%s was sent: %q", name, got)
		}
	}
	for _, name := range own {
		if got := r.Header.Get(name); got != "event" {
			t.Errorf("%s was sent as %q", name, got)
		}
	}
}

// TestDropAndKeepHeaders verifies that an endpoint's lists override the defaults, ignoring the case of names.
func TestDropAndKeepHeaders(t *testing.T) {
	d, e := aDelivery(nil, event.Header{Name: "X-Request-Id", Value: "event"},
		event.Header{Name: "CF-RAY", Value: "event"}, event.Header{Name: "cookie", Value: "event"},
		event.Header{Name: "X-Custom", Value: "event"}, event.Header{Name: "Accept", Value: "event"})
	ep := endpointAt("http://example.com/")
	ep.KeepHeaders, ep.DropHeaders = []string{"x-request-id", "Cookie"}, []string{"x-CUSTOM"}
	if faults := ep.Faults(); faults != nil {
		t.Fatalf("faults %v", faults)
	}
	r, err := ep.NewRequest(context.Background(), nil, e, d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Request-Id": "event", "Cf-Ray": "", "Cookie": "event", "X-Custom": "",
		"Accept": "event"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s was sent as %q, want %q", name, got, want)
		}
	}
	for key, wrong := range map[string]Endpoint{
		"keep_headers[0]": {KeepHeaders: []string{"Content-Length"}},
		"keep_headers[1]": {KeepHeaders: []string{"Via", "traceparent"}},
		"drop_headers[0]": {DropHeaders: []string{"X Custom"}},
	} {
		bad := endpointAt("http://example.com/")
		bad.KeepHeaders, bad.DropHeaders = wrong.KeepHeaders, wrong.DropHeaders
		if faults := bad.Faults(); len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), key) {
			t.Errorf("%s: %v", key, faults)
		}
	}
}

// TestSentRequest verifies that the endpoint gets the event's bytes and headers unchanged, without hop-by-hop headers,
// headers of the route to hooktape, and hooktape's own.
func TestSentRequest(t *testing.T) {
	type request struct {
		*http.Request
		body []byte
	}
	requests := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r, body}
	}))
	defer server.Close()
	e := local(server.URL + "/crm?key=a%2Fb")
	client := clientOf(t, e)
	send := func(d *event.Delivery, stored *event.Event) request {
		r, err := e.NewRequest(context.Background(), nil, stored, d, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if a := client.Send(r); a.Outcome != event.OutcomeDelivered {
			t.Fatalf("got the answer %+v", a)
		}
		return <-requests
	}
	kept := http.Header{
		"Content-Type":     {"application/ json"},
		"Content-Encoding": {"gzip"},
		"Accept":           {"*/*", "text/html;q=0.1"},
		"Accept-Encoding":  {"gzip, br"},
		"X-Wh-Sign":        {"sha256=00ff"},
		"X-Custom":         {"one", "", "three \xff"},
		"X-Custom-Id":      {"r-1"},
		"Pragma":           {"x"},
	}
	dropped := map[string]string{
		"X-Request-Id": "r-1", "Connection": "keep-alive, X-Hop ,close", "X-Hop": "1", "Keep-Alive": "timeout=5",
		"Proxy-Authenticate": "Basic", "Proxy-Authorization": "Basic eDp5", "Proxy-Connection": "keep-alive",
		"Te": "trailers", "Trailer": "X-T", "Transfer-Encoding": "chunked", "Upgrade": "h2c", "Expect": "100-continue",
		"Host": "hooks.example.com", "Content-Length": "7", "X-Hooktape-Attempt": "99", "X-Hooktape-Event-Id": "forged",
		"X-Hooktape-Anything": "forged", "Idempotency-Key": "forged",
		"Traceparent": "00-11111111111111111111111111111111-2222222222222222-01", "Tracestate": "a=b", "Baggage": "a=b",
		"Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.1", "X-Real-Ip": "192.0.2.1",
		"X-Original-Uri": "/hooks/demo/***", "Via": "1.1 proxy", "Authorization": "Basic eDp5", "Cookie": "a=b",
	}
	d, stored := aDelivery([]byte("\xef\xbb\xbf{\"a\":\"\xff\x00\"}\r\n"))
	for name, values := range kept {
		for _, value := range values {
			stored.Headers = append(stored.Headers, event.Header{Name: name, Value: value})
		}
	}
	for name, value := range dropped {
		stored.Headers = append(stored.Headers, event.Header{Name: name, Value: value})
	}
	r := send(d, stored)
	want := kept.Clone()
	want.Set("Content-Length", fmt.Sprint(len(stored.Body)))
	want.Set("X-Hooktape-Event-Id", stored.ID.String())
	want.Set("X-Hooktape-Replay-Id", d.ReplayID.String())
	want.Set("X-Hooktape-Attempt", "1")
	want.Set("X-Hooktape-Received-At", stored.ReceivedAt.Format(time.RFC3339Nano))
	want.Set("Idempotency-Key", d.IdempotencyKey())
	if !reflect.DeepEqual(r.Header, want) {
		t.Errorf("headers\n%q, want\n%q", r.Header, want)
	}
	if !bytes.Equal(r.body, stored.Body) || r.Method != "POST" || r.RequestURI != "/crm?key=a%2Fb" ||
		r.Host != strings.TrimPrefix(server.URL, "http://") {
		t.Errorf("%s %s to %s with body %q", r.Method, r.RequestURI, r.Host, r.body)
	}

	d, stored = aDelivery(nil, event.Header{Name: "User-Agent", Value: "BotHelp/1.0"})
	d.ReplayID = uuid.Nil // live
	r = send(d, stored)
	if r.Header.Get("User-Agent") != "BotHelp/1.0" || len(r.body) != 0 || r.ContentLength != 0 ||
		r.Header.Get("Content-Type") != "" ||
		r.Header.Get("X-Hooktape-Replay-Id") != "" {
		t.Errorf("the empty request arrived as %v, length %d", r.Header, r.ContentLength)
	}
}

// TestIdempotencyKey verifies that an event has one key at an endpoint, live and in all replays, and another key at
// another endpoint.
func TestIdempotencyKey(t *testing.T) {
	d, e := aDelivery(nil)
	ep := endpointAt("http://example.com/")
	key := func(d event.Delivery) string {
		r, err := ep.NewRequest(context.Background(), nil, e, &d, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r.Header.Get("Idempotency-Key")
	}
	live, other := *d, *d
	live.ReplayID, other.Endpoint = uuid.Nil, "other"
	if first := key(*d); first == "" || key(live) != first || key(other) == first {
		t.Errorf("keys %q, live %q, at another endpoint %q", first, key(live), key(other))
	}
}
