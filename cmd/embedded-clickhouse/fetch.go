package main

import (
	"context"

	"hooktape/cmd/embedded-clickhouse/internal/fetch"
)

type fetchCommand struct {
	Force bool `help:"Fetch it even if it is there."`
}

// Run fetches the engine.
func (c *fetchCommand) Run(ctx context.Context, std streams) error {
	return fetch.Run(ctx, c.Force, std.stdout)
}
