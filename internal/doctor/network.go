package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
	"hooktape/internal/certificate"
	"hooktape/internal/config"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/internal/server"
	"hooktape/replay"
)

// publicURL connects to the hooks as BotHelp does, as far as that is possible from here.
func (d *doctor) publicURL(ctx context.Context) []Finding {
	base := d.cfg.BaseURL()
	u, err := url.Parse(base)
	if err != nil {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return []Finding{warn("set public_url to what the world reaches this machine by",
			"hook URLs begin with %s, which BotHelp cannot reach", base)}
	}
	status, err := statusOf(ctx, base+"/healthz")
	switch {
	case server.Refused(err):
		return []Finding{warn("start hooktape, or the proxy in front", "nothing answers at %s", base)}
	case err != nil:
		return []Finding{warn("from outside it may be better: some networks do not lead back in",
			"%s cannot be reached from here: %v", base, redact.WithoutURL(err))}
	case status != http.StatusOK:
		return []Finding{bad("let the proxy hand all paths on to "+d.cfg.IngestAddr,
			"%s/healthz is answered with %d: it is not hooktape that answers", base, status)}
	}
	if u.Scheme == "http" {
		return []Finding{warn("README tells of TLS: the token in a hook URL can be read on its way",
			"%s answers, without TLS", base)}
	}
	return []Finding{ok("%s answers", base)}
}

// statusOf returns the status of an answer.
func statusOf(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	return response.StatusCode, nil
}

const fewDays = 10

// certificates checks the certificates of the listeners.
func (d *doctor) certificates(context.Context) (list []Finding) {
	t := d.cfg.TLS
	if t.Cert != "" {
		pair, err := certificate.Load(t.Cert, t.Key)
		if err != nil {
			return []Finding{bad("correct tls.cert and tls.key; run doctor as the user that hooktape runs as", "%v",
				err)}
		}
		list = append(list, validity(t.Cert, pair.Leaf.NotAfter, "renew it; a running hooktape takes the new files up"))
		if u, err := url.Parse(d.cfg.PublicURL); err == nil && u.Hostname() != "" &&
			pair.Leaf.VerifyHostname(u.Hostname()) != nil {
			list = append(list, bad("take one that is for it", "%s is not for %s, which public_url names", t.Cert,
				u.Hostname()))
		}
	}
	for _, domain := range t.Autocert {
		pair, err := certificate.Cached(d.File.Data.ACME(), domain)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			list = append(list, warn("start hooktape; its log says why, if the authority gives none",
				"there is none for %s yet", domain))
		case err != nil:
			list = append(list, bad("run doctor as the user that hooktape runs as", "%v", err))
		default:
			list = append(list, validity(domain, pair.Leaf.NotAfter, "see hooktape's log for why it is not renewed"))
		}
	}
	return list
}

// validity reports how long a certificate is valid.
func validity(whose string, ends time.Time, do string) Finding {
	days := int(time.Until(ends).Hours() / 24)
	switch {
	case time.Now().After(ends):
		return bad(do, "%s has expired on %s", whose, ends.Format(time.DateOnly))
	case days < fewDays:
		return warn(do, "%s is good for %s more", whose, english.Plural(days, "day", ""))
	}
	return ok("%s is good for %s", whose, english.Plural(days, "day", ""))
}

// endpoint connects to an endpoint.
func (d *doctor) endpoint(ctx context.Context, e replay.Endpoint) []Finding {
	db, err := d.cfg.OpenStore() // which connects to nothing
	if err != nil {
		return []Finding{bad("see ClickHouse", "%v", err)}
	}
	defer db.Close()
	client, err := outbound.NewClient(e.Endpoint, d.cfg.Own(db))
	if err != nil {
		return []Finding{bad("correct its tls settings", "%v", err)}
	}
	defer client.CloseIdleConnections()
	ends, err := client.Probe(ctx)
	if err == nil && ends.IsZero() {
		return []Finding{ok("answers")}
	}
	if err == nil {
		return []Finding{validity("answers; its certificate", ends, "tell whoever runs it")}
	}
	forbidden, isForbidden := errors.AsType[*outbound.ForbiddenAddrError](err)
	_, noName := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isForbidden && forbidden.Own != "":
		return []Finding{bad("name another url", "%v", forbidden)}
	case isForbidden:
		return []Finding{bad("set "+forbidden.Setting+" if it is meant to be there", "%v", forbidden)}
	case noName:
		return []Finding{bad("check the host in its url, and this machine's DNS", "%v", err)}
	case untrusted:
		return []Finding{bad("deliveries fail until it is right"+d.botsOf(e.Name)+
			"; tls.ca_file names an authority of your own", "its certificate is refused: %v", err)}
	}
	return []Finding{bad("deliveries wait and are tried again"+d.botsOf(e.Name)+"; tell whoever runs it",
		"does not answer: %v", err)}
}

// botsOf says which sources' bots get the fallback because an endpoint does not answer, or nothing.
func (d *doctor) botsOf(endpoint string) string {
	var names []string
	for _, s := range d.cfg.Sources {
		if s.Forward != nil && s.Forward.To == endpoint {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; bots of the source " + strings.Join(names, ", ") + " get the fallback"
}

// grafana makes a dry run of a push, which checks everything that a push needs.
func (d *doctor) grafana(ctx context.Context) []Finding {
	if d.GrafanaURL == "" {
		return nil
	}
	token, err := config.Secret("--grafana-token-file", d.GrafanaTokenFile, "GRAFANA_TOKEN")
	if err != nil {
		return []Finding{bad("name a file that can be read", "%v", err)}
	}
	boards, err := dashboards.All()
	if err != nil {
		return []Finding{bad("this is a fault of the program", "%v", err)}
	}
	g, err := push.Open(ctx, d.GrafanaURL, token)
	if err != nil {
		return []Finding{bad("correct --grafana-url", "%v", err)}
	}
	defer g.Close()
	changes, err := g.Push(push.Bundle{FolderUID: dashboards.FolderUID, Folder: dashboards.Folder, Dashboards: boards},
		true)
	if err != nil {
		return []Finding{bad("hooktape dashboards push --help says what it needs", "%v", err)}
	}
	behind := 0
	for _, change := range changes {
		if change.Kind == "dashboard" && change.Result != push.Unchanged {
			behind++
		}
	}
	if behind > 0 {
		return []Finding{warn("hooktape dashboards push", "%s not there, or not as this version has them",
			english.Plural(behind, "dashboard", ""))}
	}
	return []Finding{ok("the dashboards are there")}
}

// collector sends an empty request to the OpenTelemetry collector.
func collector(ctx context.Context) []Finding {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" {
		return nil
	}
	client := otlptracehttp.NewClient(otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err := client.Start(ctx); err != nil {
		return []Finding{bad("correct OTEL_EXPORTER_OTLP_ENDPOINT", "%v", redact.WithoutURL(err))}
	}
	defer client.Stop(context.WithoutCancel(ctx))
	if err := client.UploadTraces(ctx, nil); err != nil {
		return []Finding{bad("start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT; until then traces and "+
			"metrics are lost, events are not", "does not take telemetry: %v", redact.WithoutURL(err))}
	}
	return []Finding{ok("takes telemetry")}
}
