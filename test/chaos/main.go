// Command chaos lets everything go wrong that hooktape promises to survive, under load, and counts what was promised
// against what is stored, and what is stored against what an endpoint got.
//
//	go run ./test/chaos          about five minutes
//	go run ./test/chaos -short   less than one
//
// Each fault has a hooktape, a spool and a ClickHouse of its own. After the fault the load ends, the spool drains, and every
// id that was answered with 200 must be in ClickHouse once, with the bytes that were sent. Where an endpoint is what fails,
// or the process that delivers to it, the endpoint's own ledger must show every event, each as often as attempts are
// recorded at most, a subscriber's in order, and none while it has asked to be left alone. The program fails when one
// promise is not kept.
package main

import (
	"context"
	"flag"
	"io"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	short := flags.Bool("short", false, "fewer blows and shorter outages")
	only := flags.String("only", "", "only the faults whose names contain this")
	processes, err := harness.Open(ctx, flags, args)
	if err != nil {
		return err
	}
	defer processes.Close()
	limits := full
	if *short {
		limits = brief
	}
	ctx, cancel := context.WithTimeout(ctx, limits.atMost)
	defer cancel()
	return (&arena{harness: processes, scale: limits, out: stdout, begun: time.Now()}).all(ctx, *only)
}
