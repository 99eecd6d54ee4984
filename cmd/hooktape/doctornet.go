package main

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
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
	"hooktape/internal/certificate"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/replay"
)

// publicURL tries what BotHelp does, as far as that can be tried from here.
func (d *doctor) publicURL(ctx context.Context) []finding {
	base := d.cfg.baseURL()
	u, err := url.Parse(base)
	if err != nil {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return []finding{warn("set public_url to what the world reaches this machine by", "hook URLs begin with %s, which BotHelp cannot reach", base)}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	status, _, err := get(ctx, client, base+"/healthz")
	switch {
	case refusedConnection(err):
		return []finding{warn("start hooktape, or the proxy in front", "nothing answers at %s", base)}
	case err != nil:
		return []finding{warn("from outside it may be better: some networks do not lead back in", "%s cannot be reached from here: %v", base, redact.WithoutURL(err))}
	case status != http.StatusOK:
		return []finding{bad("let the proxy hand all paths on to "+d.cfg.IngestAddr, "%s/healthz is answered with %d: it is not hooktape that answers", base, status)}
	}
	if u.Scheme == "http" {
		return []finding{warn("README tells of TLS: the token in a hook URL can be read on its way", "%s answers, without TLS", base)}
	}
	return []finding{ok("%s answers", base)}
}

const fewDays = 10

// certificates are our own.
func (d *doctor) certificates(context.Context) (list []finding) {
	t := d.cfg.TLS
	if t.Cert != "" {
		pair, err := certificate.Load(t.Cert, t.Key)
		if err != nil {
			return []finding{bad("mend tls.cert and tls.key; run doctor as the user that hooktape runs as", "%v", err)}
		}
		list = append(list, lifeOf(t.Cert, pair.Leaf.NotAfter, "renew it; a running hooktape takes the new files up"))
		if u, err := url.Parse(d.cfg.PublicURL); err == nil && u.Hostname() != "" && pair.Leaf.VerifyHostname(u.Hostname()) != nil {
			list = append(list, bad("take one that is for it", "%s is not for %s, which public_url names", t.Cert, u.Hostname()))
		}
	}
	for _, domain := range t.Autocert {
		pair, err := certificate.Cached(d.cli.acmeDir(), domain)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			list = append(list, warn("start hooktape; its log says why, if the authority gives none", "there is none for %s yet", domain))
		case err != nil:
			list = append(list, bad("run doctor as the user that hooktape runs as", "%v", err))
		default:
			list = append(list, lifeOf(domain, pair.Leaf.NotAfter, "see hooktape's log for why it is not renewed"))
		}
	}
	return list
}

// lifeOf says how long a certificate is good.
func lifeOf(whose string, ends time.Time, do string) finding {
	days := int(time.Until(ends).Hours() / 24)
	switch {
	case time.Now().After(ends):
		return bad(do, "%s has expired on %s", whose, ends.Format(time.DateOnly))
	case days < fewDays:
		return warn(do, "%s is good for %s more", whose, plural(uint64(days), "day"))
	}
	return ok("%s is good for %s", whose, plural(uint64(days), "day"))
}

// endpoint connects to an endpoint.
func (d *doctor) endpoint(ctx context.Context, e replay.Endpoint) []finding {
	db, err := d.cfg.openStore() // which connects to nothing
	if err != nil {
		return []finding{bad("see ClickHouse", "%v", err)}
	}
	defer db.Close()
	client, err := outbound.NewClient(e.Endpoint, d.cfg.own(db))
	if err != nil {
		return []finding{bad("correct its tls settings", "%v", err)}
	}
	defer client.CloseIdleConnections()
	ends, err := client.Probe(ctx)
	if err == nil && ends.IsZero() {
		return []finding{ok("answers")}
	}
	if err == nil {
		return []finding{lifeOf("answers; its certificate", ends, "tell whoever runs it")}
	}
	forbidden, isForbidden := errors.AsType[*outbound.ForbiddenAddrError](err)
	_, noName := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isForbidden && forbidden.Own != "":
		return []finding{bad("name another url", "%v", forbidden)}
	case isForbidden:
		return []finding{bad("set "+forbidden.Setting+" if it is meant to be there", "%v", forbidden)}
	case noName:
		return []finding{bad("check the host in its url, and this machine's DNS", "%v", err)}
	case untrusted:
		return []finding{bad("deliveries fail until it is right; tls.ca_file names an authority of your own", "its certificate is refused: %v", err)}
	}
	return []finding{bad("deliveries wait and are tried again; tell whoever runs it", "does not answer: %v", err)}
}

// grafana makes a dry run of a push, which looks at everything that a push needs.
func (c doctorCmd) grafana(ctx context.Context) []finding {
	if c.GrafanaURL == "" {
		return nil
	}
	token, err := secretFrom("--grafana-token-file", c.GrafanaTokenFile, "GRAFANA_TOKEN")
	if err != nil {
		return []finding{bad("name a file that can be read", "%v", err)}
	}
	boards, err := dashboards.All()
	if err != nil {
		return []finding{bad("this is a fault of the program", "%v", err)}
	}
	g, err := push.Open(ctx, c.GrafanaURL, token)
	if err != nil {
		return []finding{bad("mend --grafana-url", "%v", err)}
	}
	defer g.Close()
	changes, err := g.Push(push.Bundle{FolderUID: dashboards.FolderUID, Folder: dashboards.Folder, Dashboards: boards}, true)
	if err != nil {
		return []finding{bad("hooktape dashboards push --help says what it needs", "%v", err)}
	}
	behind := uint64(0)
	for _, change := range changes {
		if change.Kind == "dashboard" && change.Result != push.Unchanged {
			behind++
		}
	}
	if behind > 0 {
		return []finding{warn("hooktape dashboards push", "%s not there, or not as this version has them", plural(behind, "dashboard"))}
	}
	return []finding{ok("the dashboards are there")}
}

// collector sends an empty request, to which a collector says that it has taken nothing.
func collector(ctx context.Context) []finding {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" {
		return nil
	}
	client := otlptracehttp.NewClient(otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err := client.Start(ctx); err != nil {
		return []finding{bad("mend OTEL_EXPORTER_OTLP_ENDPOINT", "%v", redact.WithoutURL(err))}
	}
	defer client.Stop(context.WithoutCancel(ctx))
	if err := client.UploadTraces(ctx, nil); err != nil {
		return []finding{bad("start the collector, or mend OTEL_EXPORTER_OTLP_ENDPOINT; until then traces and metrics are lost, events are not", "does not take telemetry: %v", redact.WithoutURL(err))}
	}
	return []finding{ok("takes telemetry")}
}
