package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hooktape/internal/server"
)

type healthcheckCmd struct {
	Ready   bool          `help:"Check whether it can do its work (/readyz), not only whether it is alive (/healthz)."`
	Timeout time.Duration `default:"5s" placeholder:"SPAN" help:"How long an answer may take."`
}

// Help implements kong.HelpProvider.
func (healthcheckCmd) Help() string {
	return `For containers and service managers. It asks hooktape's listeners on this machine, --ingest-addr and
--api-addr, of which a process may have only one. The exit code is 0 if all that listen are healthy, and 1 if one is
not, or if none listens.`
}

// Run probes the listeners of a running hooktape.
func (c healthcheckCmd) Run(e *env) error {
	ingest, api := e.flags.IngestAddr, e.flags.APIAddr
	if ingest == "" || api == "" {
		// Only then, because the process may have read the file before it became invalid.
		cfg, err := e.config()
		if err != nil {
			return err
		}
		ingest, api = cfg.IngestAddr, cfg.APIAddr
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	var failures []error
	refused := 0
	for _, part := range []struct{ name, addr string }{{"ingest", ingest}, {"API", api}} {
		switch err := server.Check(ctx, part.name, part.addr, path); {
		case server.Refused(err):
			refused++
		case err != nil:
			failures = append(failures, err)
		default:
			fmt.Fprintf(e.stdout, "%s: ok\n", part.name)
		}
	}
	if refused == 2 {
		return fmt.Errorf("no hooktape listens, neither its ingest on %s nor its API on %s", ingest, api)
	}
	return errors.Join(failures...)
}
