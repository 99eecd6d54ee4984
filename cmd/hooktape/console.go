package main

import (
	"net/http"

	"hooktape/web/api"
	"hooktape/web/console"
)

// front is what answers on the API's address: the API under its paths, and the console under all others.
func (p *process) front(answers http.Handler, direct *api.Direct, guard *api.Guard) (http.Handler, error) {
	p.hooks.Store(p.cfg.hooks())
	p.changed = append(p.changed, func(fresh *config) { p.hooks.Store(fresh.hooks()) })
	pages, err := console.New(console.Options{Direct: direct, Guard: guard, Tokens: p.cfg.API.Tokens, Sources: func() []console.Source { return *p.hooks.Load() },
		BothelpAccount: p.cfg.BothelpAccount, Version: buildVersion(), Logger: p.log})
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

// hooks are the sources as the console shows them.
func (c *config) hooks() *[]console.Source {
	list := make([]console.Source, len(c.Sources))
	for i, s := range c.Sources {
		list[i] = console.Source{Name: s.Name, HookURL: c.hookURL(s), Kind: s.Kind, Signed: s.SigningToken != ""}
	}
	return &list
}
