// Command benchingest measures the cost of hooktape's promise, on one machine with the load generator, the programs and
// ClickHouse all together:
//
//	a     a gin handler that reads the body and answers 200
//	b     hooktape ingest with fsync and tracing, nothing drained: ClickHouse is not there, spans are made and dropped
//	c     the same with ClickHouse: drain and span export run; what is sustained with a bounded backlog
//	d     a backlog drained with no other load, beside a plain insert of the same rows; bytes per event on disk
//	rss   the memory of hooktape while ClickHouse is away at full load
//
// hooktape and the handler run with the same settings, those of the environment. Times are of the load generator, which
// uses processor time of its own. CPU and memory are read from /proc: Linux only.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

// options are the flags of a run.
type options struct {
	parts    string
	bin      string
	profiles string
	each     time.Duration
	sustain  time.Duration
	away     time.Duration
	backlog  uint64
	baseline string
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("benchingest", flag.ContinueOnError)
	flags.StringVar(&o.parts, "parts", "a,b,c,d,rss", "what to measure")
	flags.StringVar(&o.bin, "bin", "", "directory of the built programs (default: they are built)")
	flags.StringVar(&o.profiles, "profiles", "", "directory to put hooktape's CPU profiles of b, c and d into")
	flags.DurationVar(&o.each, "each", 10*time.Second, "time of each run of a, b and c")
	flags.DurationVar(&o.sustain, "sustain", time.Minute,
		"time of the sustained run of c; the one at half its rate takes half of that")
	flags.DurationVar(&o.away, "away", time.Minute, "how long ClickHouse is away in rss")
	flags.Uint64Var(&o.backlog, "backlog", 500_000, "events of the backlog in d")
	flags.StringVar(&o.baseline, "serve-baseline", "", "only be the handler of a, at this address")
	return o, flags.Parse(args)
}

// part is one thing to measure.
type part struct {
	name    string
	measure func(context.Context, *bench) error
}

var all = []part{{"a", bare}, {"b", promise}, {"c", whole}, {"d", drained}, {"rss", outage}}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.baseline != "" {
		return serveBaseline(ctx, o.baseline)
	}
	processes, err := harness.New(ctx, o.bin)
	if err != nil {
		return err
	}
	defer processes.Close()
	b := &bench{options: o, harness: processes, out: stdout, begun: time.Now()}
	b.say("%s, %d processors, GOMAXPROCS=%q GOGC=%q", runtime.Version(), runtime.NumCPU(), os.Getenv("GOMAXPROCS"),
		os.Getenv("GOGC"))
	for _, p := range all {
		if !strings.Contains(","+o.parts+",", ","+p.name+",") {
			continue
		}
		if err := p.measure(ctx, b); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	b.print()
	return nil
}
