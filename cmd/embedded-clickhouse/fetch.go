package main

import (
	"context"

	"hooktape/cmd/embedded-clickhouse/internal/fetch"
)

type fetchCommand struct {
	Force  bool `help:"Fetch it even if it is there."`
	Verify bool `help:"If it is there, read all of it and compare its checksum."`
}

// Run fetches the engine.
func (c *fetchCommand) Run(ctx context.Context, std streams) error {
	return fetch.Run(ctx, fetch.Options{Force: c.Force, Verify: c.Verify, Out: std.stdout})
}
