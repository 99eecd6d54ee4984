package replay

import (
	"net/http"
	"strings"
)

// proxyHeaders are the headers that proxies and CDNs add to a request. They describe the way to hooktape, so that a receiver
// must not take them for its own: Cloudflare, for one, answers 403 to a request that carries Cf-Connecting-Ip, and a Cdn-Loop
// that names a CDN ends there. A name that ends in * is a prefix. keep_headers of an endpoint makes an exception.
var proxyHeaders = []struct {
	by    string
	names []string
}{
	{"any proxy", []string{
		"Forwarded", "Via", "X-Forwarded", "X-Forwarded-*", // RFC 7239; RFC 9110, section 7.6.3
		"Cdn-Loop",     // RFC 8586
		"Client-Cert*", // RFC 9440
		"Early-Data",   // RFC 8470
		"Max-Forwards", // RFC 9110, section 7.6.2
	}},
	// https://developers.cloudflare.com/fundamentals/reference/http-headers/
	{"Cloudflare", []string{"Cf-*", "True-Client-Ip"}},
	// https://www.fastly.com/documentation/reference/http/http-headers/
	{"Fastly", []string{"Fastly-*", "X-Timer", "X-Varnish"}},
	// https://techdocs.akamai.com/property-mgr/docs/content-tgting and its page on the True-Client-IP header of the origin server
	{"Akamai", []string{"Akamai-*", "X-Akamai-*", "True-Client-Ip"}},
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
	// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
	{"AWS", []string{"X-Amzn-*", "X-Amz-Cf-*", "Cloudfront-*"}},
	// https://learn.microsoft.com/azure/frontdoor/front-door-http-headers-protocol
	// https://learn.microsoft.com/azure/application-gateway/how-application-gateway-works
	// https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
	{"Azure", []string{"X-Azure-*", "X-Fd-*", "X-Appgw-Trace-Id", "X-Original-Host", "X-Arr-*", "X-Appservice-Proto", "X-Site-Deployment-Id",
		"X-Waws-Unencoded-Url", "X-Ms-Client-Principal*", "X-Ms-Token-*", "Disguised-Host", "Was-Default-Hostname", "Client-Ip", "X-Client-Ip", "X-Client-Port"}},
	// https://cloud.google.com/load-balancing/docs/https
	// https://cloud.google.com/appengine/docs/standard/reference/request-headers
	{"GCP", []string{"X-Cloud-Trace-Context", "X-Goog-Iap-*", "X-Goog-Authenticated-User-*", "X-Appengine-*"}},
	// https://fly.io/docs/networking/request-headers/
	{"Fly", []string{"Fly-*"}},
	// https://vercel.com/docs/headers/request-headers
	{"Vercel", []string{"X-Vercel-*"}},
	// https://devcenter.heroku.com/articles/http-routing
	{"Heroku", []string{"X-Request-Id", "X-Request-Start", "Connect-Time", "Total-Route-Time"}},
	// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
	{"Envoy", []string{"X-Envoy-*", "X-Request-Id", "X-Client-Trace-Id", "X-B3-*", "B3", "X-Ot-Span-Context", "X-Datadog-*", "Sw8"}},
	// https://nginx.org/en/docs/http/ngx_http_proxy_module.html
	// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/
	{"nginx", []string{"X-Real-Ip", "X-Original-Uri", "X-Original-Url", "X-Original-Method", "X-Original-Forwarded-For", "X-Scheme", "X-Request-Id",
		"X-Auth-Request-Redirect", "Ssl-Client-*"}},
}

// addedByProxy reports whether a header, by its canonical name, is one that proxies add.
func addedByProxy(name string) bool {
	for _, group := range proxyHeaders {
		for _, known := range group.names {
			if prefix, open := strings.CutSuffix(known, "*"); known == name || open && strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// headerSet has the canonical names of a list of headers.
func headerSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[http.CanonicalHeaderKey(name)] = true
	}
	return set
}
