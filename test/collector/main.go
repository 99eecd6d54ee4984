// Command collector builds an OpenTelemetry Collector with the components in otel/collector.yaml, runs it with that
// file, and tests the promises of the file:
//
//	go run ./test/collector    about two minutes, and the first time five for the build
//
// A real ingest and a real replay process send it telemetry, and it writes to the embedded ClickHouse. ClickHouse is
// killed twice for a while, the second time together with the collector. In the end each request and each delivery
// attempt must have its span, each log line its row, and the metrics must have the right numbers. The collector's own
// tables must equal those of hooktape's migrations, and the dashboards' queries must return rows. The program fails if
// one of these is not true.
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
	return t.run(ctx)
}
