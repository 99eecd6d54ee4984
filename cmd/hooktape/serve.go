package main

import (
	"fmt"
	"path/filepath"

	"hooktape/cmd/embedded-clickhouse/embedded"
)

type serveCmd struct{}

// Run starts everything, after writing a first configuration where there is none.
func (serveCmd) Run(e *env) error {
	written, err := ensureConfig(e.cli.configPath())
	if err != nil {
		return fmt.Errorf("write the first configuration: %w", err)
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	if cfg.embedded() {
		if err := cfg.findPasswords(e.cli.Data, embedded.EnsurePassword); err != nil {
			return err
		}
	}
	p := &process{env: e, cfg: cfg, parts: parts{engine: cfg.embedded(), ingest: true, replay: true}}
	p.ready = func() { e.printBanner(cfg, written) }
	return p.run()
}

type ingestCmd struct{}

// Run starts the half that takes webhooks.
func (ingestCmd) Run(e *env) error { return e.runParts(parts{ingest: true}) }

type replayServeCmd struct{}

// Run starts the half that sends events again.
func (replayServeCmd) Run(e *env) error { return e.runParts(parts{replay: true}) }

func (e *env) runParts(which parts) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	return (&process{env: e, cfg: cfg, parts: which}).run()
}

// sampleBody is BotHelp's own example of a flow webhook, shortened.
const sampleBody = `{"created_at":1499947711,"name":"John Wick","email":"john@gmail.com","phone":"+14123456789","conversations_count":10,"profile_link":"https://fb.com/1941325716136721","user_id":"1234567890","bothelp_user_id":"47659","utm_source":"VK","utm_medium":"social_cpc","age":"21"}`

// printBanner says where everything is. A hook URL has its token in it: it is shown when it is new, and to a person only,
// for what goes to a file or a journal stays there.
func (e *env) printBanner(cfg *config, written bool) {
	out := e.stdout
	fmt.Fprintf(out, "\nhooktape is ready. Ctrl-C stops it; nothing is lost.\n\n")
	fmt.Fprintf(out, "  webhooks    %s://%s\n  console     %s://%s (and the API)\n", cfg.scheme(), cfg.IngestAddr, cfg.apiScheme(), cfg.APIAddr)
	if cfg.embedded() {
		fmt.Fprintf(out, "  ClickHouse  http://%s (embedded); for Grafana: user %s, its password is in %s\n", cfg.Embedded.Addr, embedded.Reader,
			filepath.Join(e.cli.Data, embedded.ReaderPasswordFile))
	}
	if cfg.OpsAddr != "" {
		fmt.Fprintf(out, "  metrics     http://%s/metrics\n", cfg.OpsAddr)
	}
	note := ""
	if written {
		note = " (just written, with random secrets)"
	}
	fmt.Fprintf(out, "  config      %s%s\n", e.cli.configPath(), note)
	if len(cfg.API.Tokens) > 0 {
		fmt.Fprintf(out, "\nLog in to the console with the token of %q, which stands there under api.tokens.\n", cfg.API.Tokens[0].Name)
	} else {
		fmt.Fprintf(out, "\nNobody can log in to the console: there is no token under api.tokens.\n")
	}
	if len(cfg.Sources) == 0 {
		fmt.Fprintf(out, "\nNo source yet: `hooktape sources add NAME` makes one.\n")
		return
	}
	if !written || !isTerminal(out) {
		fmt.Fprintf(out, "\n`hooktape sources` shows the hook URLs, which are secret.\n\n")
		return
	}
	first := cfg.hookURL(cfg.Sources[0])
	fmt.Fprintf(out, "\nPaste this into BotHelp, with a name for the step at its end:\n  %s/start\n", first)
	fmt.Fprintf(out, "\nOr try it from another terminal:\n  curl -sS %s/start -H 'Content-Type: application/json' -d '%s'\n  bin/hooktape events list\n\n", first, sampleBody)
}
