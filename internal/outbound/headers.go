package outbound

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"hooktape/internal/event"
)

// The headers that hooktape writes.
const (
	headerEventID        = "X-Hooktape-Event-Id"
	headerReplayID       = "X-Hooktape-Replay-Id"
	headerAttempt        = "X-Hooktape-Attempt"
	headerReceivedAt     = "X-Hooktape-Received-At"
	headerIdempotencyKey = "Idempotency-Key"
)

// clientHeaders are the headers of one hop (RFC 9110, section 7.6.1) and those that net/http writes itself.
var clientHeaders = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
	"Host": true, "Content-Length": true,
}

// traceHeaders carry a trace. Each attempt has its own trace.
var traceHeaders = map[string]bool{"Traceparent": true, "Tracestate": true, "Baggage": true}

// signatureHeaders are the headers of Standard Webhooks, as net/http spells them.
var signatureHeaders = map[string]bool{"Webhook-Id": true, "Webhook-Timestamp": true, "Webhook-Signature": true}

// senderSecrets are headers that may hold a secret between the event's sender and hooktape.
var senderSecrets = map[string]bool{"Authorization": true, "Cookie": true}

// IsHopHeader reports whether a header is for one connection only (RFC 9110, section 7.6.1), or is written by net/http.
func IsHopHeader(name string) bool { return clientHeaders[http.CanonicalHeaderKey(name)] }

// CheckHeader returns an error if an endpoint or a replay must not set the header h. The error never contains the
// value.
func CheckHeader(h event.Header) error {
	name := http.CanonicalHeaderKey(h.Name)
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name):
		return fmt.Errorf("invalid header name %q", h.Name)
	case !httpguts.ValidHeaderFieldValue(h.Value):
		return fmt.Errorf("the value of %s has characters that a header must not have", h.Name)
	case clientHeaders[name]:
		return fmt.Errorf("%s is written by the HTTP client itself", h.Name)
	case isOurs(name):
		return fmt.Errorf("%s is written by hooktape itself", h.Name)
	}
	return nil
}

// isOurs reports whether hooktape writes a header.
func isOurs(name string) bool {
	return strings.HasPrefix(name, "X-Hooktape-") || name == headerIdempotencyKey ||
		traceHeaders[name] || signatureHeaders[name]
}

// ForwardedHeaders returns the headers of an event that a receiver gets. It leaves out headers of the connection, the
// proxies and the trace on which the event arrived, and headers that may contain a secret of its sender. drop has names
// of further headers to leave out, keep those of proxy headers and secrets to send nevertheless.
func ForwardedHeaders(headers []event.Header, drop, keep []string) (forwarded []event.Header) {
	hop := connectionOptions(headers)
	dropped := headerSet(drop)
	kept := headerSet(keep)
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h.Name)
		switch {
		case clientHeaders[name], traceHeaders[name], hop[name], dropped[name], strings.HasPrefix(name, "X-Hooktape-"):
		case (senderSecrets[name] || addedByProxy(name)) && !kept[name]:
		default:
			forwarded = append(forwarded, h)
		}
	}
	return forwarded
}

// EndToEnd returns the headers of a response that are not for one connection only (RFC 9110, section 7.6.1).
func EndToEnd(headers []event.Header) (list []event.Header) {
	hop := connectionOptions(headers)
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h.Name)
		if name == "Content-Length" || !clientHeaders[name] && !hop[name] {
			list = append(list, h)
		}
	}
	return list
}

// connectionOptions returns the headers that the Connection header names: they are for one hop, too.
func connectionOptions(headers []event.Header) (options map[string]bool) {
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Connection") {
			if options == nil {
				options = map[string]bool{}
			}
			for option := range strings.SplitSeq(h.Value, ",") {
				options[http.CanonicalHeaderKey(strings.TrimSpace(option))] = true
			}
		}
	}
	return options
}

// headerSet returns the canonical names of a list of headers.
func headerSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[http.CanonicalHeaderKey(name)] = true
	}
	return set
}

// proxyHeaders are the headers that proxies and CDNs add to a request. They describe the route to hooktape, and a
// receiver must not read them as its own. Cloudflare answers 403 to a request with Cf-Connecting-Ip, and a CDN that
// finds itself in Cdn-Loop stops the request. A name that ends in * is a prefix. An endpoint's keep_headers makes
// exceptions.
var proxyHeaders = []string{
	"Forwarded", "Via", "X-Forwarded", "X-Forwarded-*", // RFC 7239; RFC 9110, section 7.6.3
	"Cdn-Loop",     // RFC 8586
	"Client-Cert*", // RFC 9440
	"Early-Data",   // RFC 8470
	"Max-Forwards", // RFC 9110, section 7.6.2
	// https://developers.cloudflare.com/fundamentals/reference/http-headers/
	"Cf-*", "True-Client-Ip",
	// https://www.fastly.com/documentation/reference/http/http-headers/
	"Fastly-*", "X-Timer", "X-Varnish",
	// https://techdocs.akamai.com/property-mgr/docs/content-tgting and its page on the True-Client-IP header of the
	// origin server
	"Akamai-*", "X-Akamai-*", "True-Client-Ip",
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
	// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
	"X-Amzn-*", "X-Amz-Cf-*", "Cloudfront-*",
	// https://learn.microsoft.com/azure/frontdoor/front-door-http-headers-protocol
	// https://learn.microsoft.com/azure/application-gateway/how-application-gateway-works
	// https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
	"X-Azure-*", "X-Fd-*", "X-Appgw-Trace-Id", "X-Original-Host", "X-Arr-*", "X-Appservice-Proto",
	"X-Site-Deployment-Id", "X-Waws-Unencoded-Url", "X-Ms-Client-Principal*", "X-Ms-Token-*", "Disguised-Host",
	"Was-Default-Hostname", "Client-Ip", "X-Client-Ip", "X-Client-Port",
	// https://cloud.google.com/load-balancing/docs/https
	// https://cloud.google.com/appengine/docs/standard/reference/request-headers
	"X-Cloud-Trace-Context", "X-Goog-Iap-*", "X-Goog-Authenticated-User-*", "X-Appengine-*",
	// https://fly.io/docs/networking/request-headers/
	"Fly-*",
	// https://vercel.com/docs/headers/request-headers
	"X-Vercel-*",
	// https://devcenter.heroku.com/articles/http-routing
	"X-Request-Id", "X-Request-Start", "Connect-Time", "Total-Route-Time",
	// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
	"X-Envoy-*", "X-Request-Id", "X-Client-Trace-Id", "X-B3-*", "B3", "X-Ot-Span-Context",
	"X-Datadog-*", "Sw8",
	// https://nginx.org/en/docs/http/ngx_http_proxy_module.html
	// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/
	"X-Real-Ip", "X-Original-Uri", "X-Original-Url", "X-Original-Method", "X-Original-Forwarded-For",
	"X-Scheme", "X-Request-Id", "X-Auth-Request-Redirect", "Ssl-Client-*",
}

// proxyNames and proxyPrefixes are those of proxyHeaders.
var proxyNames, proxyPrefixes = func() (names map[string]bool, prefixes []string) {
	names = map[string]bool{}
	for _, known := range proxyHeaders {
		if prefix, open := strings.CutSuffix(known, "*"); open {
			prefixes = append(prefixes, prefix)
		} else {
			names[known] = true
		}
	}
	return names, prefixes
}()

// addedByProxy reports whether a header, by its canonical name, is one that proxies add.
func addedByProxy(name string) bool {
	return proxyNames[name] ||
		slices.ContainsFunc(proxyPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// sortedHeaders returns headers sorted by name.
func sortedHeaders(header http.Header) []event.Header {
	list := make([]event.Header, 0, len(header))
	for name, values := range header {
		for _, value := range values {
			list = append(list, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(list, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	return list
}
