package main

import (
	"fmt"
	"path/filepath"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/config"
	"hooktape/internal/server"
)

type serveCmd struct{}

// Run runs everything. At the first start it writes a configuration.
func (serveCmd) Run(e *env) error {
	written, err := config.EnsureFile(e.file().Path)
	if err != nil {
		return fmt.Errorf("write the first configuration: %w", err)
	}
	return server.Run(e.ctx, server.Options{
		File:    e.file(),
		Parts:   server.Parts{Engine: true, Ingest: true, Delivery: true},
		Version: buildVersion(),
		Logger:  e.log,
		Ready:   func(cfg *config.Config, login string) { e.printBanner(cfg, written, login) },
	})
}

// sampleBody is BotHelp's example of a flow webhook, shortened.
const sampleBody = `{"created_at":1499947711,"name":"John Wick","email":"john@gmail.com","phone":"+14123456789",` +
	`"conversations_count":10,"profile_link":"https://fb.com/1941325716136721","user_id":"1234567890",` +
	`"bothelp_user_id":"47659","utm_source":"VK","utm_medium":"social_cpc","age":"21"}`

// printBanner prints the addresses. Secrets are for people at a terminal only, because a file or a journal would keep
// them: the link to log in, and the first hook URL if it is new.
func (e *env) printBanner(cfg *config.Config, written bool, login string) {
	out := e.stdout
	fmt.Fprintf(out, "\nhooktape is ready. Ctrl-C stops it; nothing is lost.\n\n")
	fmt.Fprintf(out, "  webhooks    %s\n  console     %s (and the API)\n", cfg.IngestURL(), cfg.APIURL())
	if cfg.UsesEngine() {
		fmt.Fprintf(out, "  ClickHouse  http://%s (embedded); for Grafana: user %s, its password is in %s\n",
			cfg.Embedded.Addr, embedded.Reader,
			filepath.Join(e.flags.Data, embedded.ReaderPasswordFile))
	}
	if cfg.OpsAddr != "" {
		fmt.Fprintf(out, "  metrics     http://%s/metrics\n", cfg.OpsAddr)
	}
	note := ""
	if written {
		note = " (just written, with random secrets)"
	}
	fmt.Fprintf(out, "  config      %s%s\n", e.file().Path, note)
	switch {
	case login != "" && isTerminal(out):
		fmt.Fprintf(out,
			"\nOpen the console (this link works once, for ten minutes; `hooktape login` prints another):\n  %s\n",
			login)
	case len(cfg.API.Tokens) > 0:
		fmt.Fprintf(out,
			"\n`hooktape login` prints a one-time link to the console; or log in with the token of %q, which the "+
				"configuration has under api.tokens.\n", cfg.API.Tokens[0].Name)
	default:
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
	first := cfg.HookURL(cfg.Sources[0])
	fmt.Fprintf(out, "\nPaste this into BotHelp, with a name for the step at its end:\n  %s/start\n", first)
	fmt.Fprintf(out,
		"\nOr try it from another terminal:\n  curl -sS %s/start -H 'Content-Type: application/json' -d '%s'\n  "+
			"bin/hooktape events list\n\n", first, sampleBody)
}
