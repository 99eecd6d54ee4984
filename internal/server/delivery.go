package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/netutil"

	"hooktape/ingest"
	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// startDelivery starts what sends events to endpoints, and the listener of the API and the console.
func (p *process) startDelivery(ctx context.Context, accepting, storing *stage) (*replay.Recorder, error) {
	outcomes, err := p.openSpool(ctx, config.OutcomeSpool, accepting)
	if err != nil {
		return nil, err
	}
	p.outcomes = outcomes
	recorder := replay.NewRecorder(outcomes, p.db, p.Logger)
	endpoints := p.cfg.DeliveryEndpoints()
	p.endpoints.Store(&endpoints)
	p.runner = replay.NewRunner(replay.Options{AllowPrivate: p.cfg.Replay.AllowPrivate, Own: p.own}, endpoints, p.db,
		recorder, p.Logger)
	p.changed = append(p.changed, func(fresh *config.Config) {
		endpoints := fresh.DeliveryEndpoints()
		p.endpoints.Store(&endpoints)
		p.runner.SetEndpoints(endpoints)
	})
	handler, err := p.apiAndConsole()
	if err != nil {
		return nil, err
	}
	listener, err := p.listen(p.cfg.APIAddr, "--api-addr", config.OwnAPI)
	if err != nil {
		return nil, err
	}
	listener = netutil.LimitListener(listener, p.budget.API)
	if p.cfg.TLS.API {
		listener = tls.NewListener(listener, p.tls.Config())
	}
	storing.run(p.whenMigrated(recorder.Run))
	accepting.run(p.whenMigrated(p.runner.Run))
	storing.run(p.whenMigrated(p.purge))
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, handler) })
	return recorder, nil
}

// apiAndConsole returns the handler of the API's address: the API has its paths, and the console all others.
func (p *process) apiAndConsole() (http.Handler, error) {
	service := replay.NewService(p.db, func() []replay.Endpoint { return *p.endpoints.Load() },
		p.cfg.Replay.AllowPrivate)
	service.Own = p.own
	direct := api.NewDirect(p.db, service, replay.Actor{})
	guard := api.NewGuard(p.Logger)
	var sources atomic.Pointer[ingest.Sources]
	var forwards atomic.Pointer[map[string]string]
	load := func(cfg *config.Config) {
		sources.Store(cfg.IngestSources())
		forwards.Store(new(cfg.Forwards()))
	}
	load(p.cfg)
	p.changed = append(p.changed, load)
	direct.SetHost(api.Host{
		Source:    func(name string) (string, event.Kind) { return sources.Load().Named(name) },
		Forwards:  func() map[string]string { return *forwards.Load() },
		Retention: p.cfg.StoreRetention(),
		Spools:    p.spoolReport,
		DataDir:   string(p.File.Data),
	})
	p.direct = direct
	answers, err := api.New(api.Options{
		Direct:  direct,
		Guard:   guard,
		Tokens:  p.cfg.API.Tokens,
		Failing: func() error { return cmp.Or(p.runner.Failing(), p.damage.failing()) },
		Broken:  p.outcomes.Err,
		Version: p.Version,
		Logger:  p.Logger,
	})
	if err != nil {
		return nil, err
	}
	p.hooks.Store(consoleSources(p.cfg))
	p.changed = append(p.changed, func(fresh *config.Config) { p.hooks.Store(consoleSources(fresh)) })
	pages, err := console.New(console.Options{
		Direct:         direct,
		Guard:          guard,
		Tokens:         p.cfg.API.Tokens,
		Sources:        func() []console.Source { return *p.hooks.Load() },
		BothelpAccount: p.cfg.BothelpAccount,
		Version:        p.Version,
		Logger:         p.Logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/api/", "/docs", "/docs/", "/openapi.json", "/healthz", "/readyz"} {
		mux.Handle(path, answers)
	}
	mux.Handle("/", pages)
	return p.cfg.API.TrustedProxies.Handler(mux), nil
}

// loginLink returns a link that logs in to the console once, with the name and the role of the configuration's first
// token, if only this machine reaches the console. Else, or if the audit log cannot record it, it returns "".
func (p *process) loginLink(ctx context.Context) string {
	addr, err := netip.ParseAddrPort(p.cfg.APIAddr)
	if p.direct == nil || err != nil || !addr.Addr().IsLoopback() || len(p.cfg.API.Tokens) == 0 {
		return ""
	}
	first := p.cfg.API.Tokens[0]
	link, err := p.direct.As(api.Principal{Name: first.Name, Role: api.RoleAdmin}, netip.Addr{}).CreateLoginLink(ctx,
		first.Role)
	if err != nil {
		return ""
	}
	return p.cfg.APIURL() + link.Path
}

func consoleSources(c *config.Config) *[]console.Source {
	list := make([]console.Source, len(c.Sources))
	for i, s := range c.Sources {
		list[i] = console.Source{Name: s.Name, HookURL: c.HookURL(s), Kind: s.Kind, Signed: s.SigningToken != ""}
		if f := s.Forward; f != nil {
			list[i].Forward = &console.Forward{Expect: f.Expect, Status: f.Fallback.Status, Headers: f.Fallback.Headers,
				Body: f.Fallback.Body}
		}
	}
	return &list
}
