package main

import "hooktape/internal/server"

type ingestCmd struct{}

// Run runs the part that receives webhooks.
func (ingestCmd) Run(e *env) error { return e.serve(server.Parts{Ingest: true}) }

// serve runs some parts of the program, with a configuration that must exist.
func (e *env) serve(parts server.Parts) error {
	return server.Run(e.ctx, server.Options{File: e.file(), Parts: parts, Version: buildVersion(), Logger: e.log})
}
