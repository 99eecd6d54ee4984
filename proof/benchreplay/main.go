// Command benchreplay measures what delivery achieves beside a loop that promises nothing.
//
//	go run ./proof/benchreplay [-events 200000] [-connections 64] [-pending 5000000]
//
// In one run, on the same cores: (a) a bare http.Client loop that sends bodies to a sink; (b) a replay of as many events to
// the same sink, each attempt's intent and outcome on disk with fsync and in ClickHouse, by a real hooktape and a real
// engine. Then what the process that delivers holds in memory while an endpoint is dead and very much waits for it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"hooktape/proof/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchreplay:", err)
		os.Exit(1)
	}
}

// bench is what all parts share.
type bench struct {
	rig         *rig.Rig
	out         io.Writer
	events      int
	connections int
	pending     int
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchreplay", flag.ContinueOnError)
	b := &bench{out: stdout}
	flags.IntVar(&b.events, "events", 200_000, "events to send")
	flags.IntVar(&b.connections, "connections", 64, "requests at once")
	flags.IntVar(&b.pending, "pending", 5_000_000, "deliveries that wait for a dead endpoint")
	bin := flags.String("bin", "", "directory of the built programs (default: they are built)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	processes, err := rig.New(ctx, *bin)
	if err != nil {
		return err
	}
	defer processes.Close()
	b.rig = processes
	bare, err := b.bare(ctx)
	if err != nil {
		return fmt.Errorf("the bare loop: %w", err)
	}
	replayed, err := b.replay(ctx)
	if err != nil {
		return fmt.Errorf("the replay: %w", err)
	}
	waiting, err := b.waiting(ctx)
	if err != nil {
		return fmt.Errorf("the dead endpoint: %w", err)
	}
	return b.report(bare, replayed, waiting)
}

// speed is how fast a part was, and what it cost.
type speed struct {
	events   int
	took     time.Duration
	hooktape time.Duration // processor time
	engine   time.Duration
	peak     int64 // bytes of memory of hooktape
}

func (s speed) perSecond() float64 { return float64(s.events) / s.took.Seconds() }

func (b *bench) report(bare, replayed speed, waiting int64) error {
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\npart\tdeliveries/s\tCPU s/1,000 of hooktape\tof ClickHouse\tpeak RSS MiB\t\n")
	fmt.Fprintf(w, "(a) bare loop\t%.0f\t\t\t\t\n", bare.perSecond())
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(replayed.events) }
	fmt.Fprintf(w, "(b) replay\t%.0f\t%.3f\t%.3f\t%d\t\n", replayed.perSecond(), each(replayed.hooktape), each(replayed.engine), replayed.peak>>20)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(b.out, "\n(b)/(a) %.2f (aim 0.5), %.0f/s (aim 5000), RSS with %d pending for a dead endpoint %d MiB (aim 300)\n",
		replayed.perSecond()/bare.perSecond(), replayed.perSecond(), b.pending, waiting>>20)
	return err
}
