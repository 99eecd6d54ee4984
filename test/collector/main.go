// Command collector builds an OpenTelemetry Collector of the components that otel/collector.yaml names, runs it on that file
// as it is, and tries what the file promises:
//
//	go run ./test/collector    about two minutes, and the first time five for the build
//
// A real ingest and a real replay process tell it of their work, while it writes to the embedded ClickHouse. ClickHouse
// goes away for a while, and again, and then the collector is killed as well. In the end each request and each delivery
// attempt must have its span, each log line its row, and the metrics must say how many there were. The tables that the
// collector makes for itself must be those of hooktape's migrations, and the dashboards' queries must find what it wrote.
// The program fails when one of these is not so.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("collector", flag.ContinueOnError)
	file := flags.String("file", "otel/collector.yaml", "the collector's configuration")
	away := flags.Duration("away", 20*time.Second, "how long ClickHouse is away")
	processes, err := harness.Open(ctx, flags, args)
	if err != nil {
		return err
	}
	defer processes.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	t := &trial{harness: processes, out: stdout, begun: time.Now(), file: *file, away: *away}
	t.say("building the collector")
	if t.program, err = build(ctx); err != nil {
		return err
	}
	if err := t.sameTables(ctx); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	return t.play(ctx)
}
