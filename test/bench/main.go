// Command bench measures hooktape with its real processes, ClickHouse and the load generator all on one machine:
//
//	go run ./test/bench ingest      webhooks, beside a handler that promises nothing
//	go run ./test/bench replay      deliveries, beside a bare loop of requests
//	go run ./test/bench forward     External Requests, beside direct ones
//	go run ./test/bench dashboards  the queries of each dashboard over a large account
//	go run ./test/bench console     the pages of the console over a large account
//
// Each has flags (-h). Times are of the load generator, which uses processor time of its own. CPU and memory are read
// from /proc: Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"syscall"
	"text/tabwriter"
	"time"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	benches := map[string]func(context.Context, []string, io.Writer) error{"ingest": ingest, "replay": replays,
		"forward": forward, "dashboards": boards, "console": pages, baseline: serveBaseline}
	if len(args) == 0 || benches[args[0]] == nil {
		return errors.New("want ingest, replay, forward, dashboards or console, then flags")
	}
	return benches[args[0]](ctx, args[1:], stdout)
}

// bench is one run.
type bench struct {
	*harness.Harness
	out     io.Writer
	begun   time.Time
	next    uint64 // number of the next body
	figures []figure
}

// open parses flags and opens a harness, which the caller closes.
func open(ctx context.Context, flags *flag.FlagSet, args []string, stdout io.Writer) (*bench, error) {
	processes, err := harness.Open(ctx, flags, args)
	return &bench{Harness: processes, out: stdout, begun: time.Now()}, err
}

// ingesting starts an engine with all tables, and a hooktape that ingests into it. The caller kills both.
func (b *bench) ingesting(ctx context.Context, settings string) (*harness.Engine, *harness.Hooktape, error) {
	engine, dsn, err := b.NewDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	h, err := b.NewHooktape(ctx, dsn, settings)
	if err != nil {
		engine.Kill()
		return nil, nil, err
	}
	return engine, h, nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) table() *tabwriter.Writer {
	return tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// figure is a result with its aim, if it has one.
type figure struct{ name, value, aim, mark string }

// note adds a figure without an aim to the table at the end.
func (b *bench) note(name, format string, value float64) {
	b.figures = append(b.figures, figure{name: name, value: fmt.Sprintf(format, value)})
}

func (b *bench) atLeast(goal float64, name, format string, value float64) {
	b.aim("≥ ", goal, value >= goal, name, format, value)
}

func (b *bench) atMost(goal float64, name, format string, value float64) {
	b.aim("≤ ", goal, value <= goal, name, format, value)
}

func (b *bench) aim(sign string, goal float64, reached bool, name, format string, value float64) {
	b.figures = append(b.figures, figure{name, fmt.Sprintf(format, value), fmt.Sprintf(sign+format, goal),
		mark(reached)})
}

func mark(reached bool) string {
	if reached {
		return "✓"
	}
	return "✗"
}

// printFigures prints the table of figures.
func (b *bench) printFigures() error {
	table := b.table()
	fmt.Fprintln(table, "\nfigure\tmeasured\taim\t\t")
	for _, f := range b.figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", f.name, f.value, f.aim, f.mark)
	}
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// target is the target of a load, and the processes behind it.
type target struct {
	addr, source string
	processes    []*harness.Process
}

// measured is the result of a load.
type measured struct {
	*load.Ledger
	failed    int             // requests that were not answered with 200
	cpu       []time.Duration // for each request, of each process
	generator time.Duration   // the same of the load generator
}

// load loads a target for d, after a warm-up that does not count. It calls watch, if any, during the load.
func (b *bench) load(ctx context.Context, to target, connections int, rate float64, d time.Duration,
	watch func(context.Context, *load.Run) error) (m measured, err error) {
	m.Ledger = &load.Ledger{}
	options := load.Options{Addr: to.addr, Source: to.source, Token: harness.Token,
		Bodies: simulate.NewWebhooks(seed), First: b.next, Connections: connections, Rate: rate}
	warm, cancel := context.WithTimeout(ctx, d/10)
	defer cancel()
	options.First = load.Start(warm, options).Wait().Next
	used, err := usage(to.processes)
	if err != nil {
		return m, err
	}
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	running := load.Start(timed, options)
	if watch != nil {
		err = watch(timed, running)
	}
	m.Ledger = running.Wait()
	b.next, m.failed = m.Next, m.Sent-len(m.Acks)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		m.cpu, m.generator, err = used(m.Sent)
	}
	return m, err
}

// seed is the seed of the bodies.
const seed = 1

// usage returns a function that returns the processor time which the processes and this one have used since then, for
// each of a number of requests.
func usage(processes []*harness.Process) (used func(requests int) ([]time.Duration, time.Duration, error), err error) {
	before, self, err := usedSoFar(processes)
	return func(requests int) ([]time.Duration, time.Duration, error) {
		requests = max(requests, 1)
		now, own, err := usedSoFar(processes)
		for i := range now {
			now[i] = (now[i] - before[i]) / time.Duration(requests)
		}
		return now, (own - self) / time.Duration(requests), err
	}, err
}

func usedSoFar(processes []*harness.Process) (times []time.Duration, self time.Duration, err error) {
	for _, p := range processes {
		cpu, err := p.CPU()
		if err != nil {
			return nil, 0, err
		}
		times = append(times, cpu)
	}
	var own syscall.Rusage
	err = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	return times, time.Duration(own.Utime.Nano() + own.Stime.Nano()), err
}
