// Command benchreplay compares delivery with a bare HTTP client loop.
//
//	go run ./test/benchreplay [-events 200000] [-connections 256] [-pending 5000000]
//
// In one run, on the same cores: (a) a bare http.Client loop that sends bodies to a receiver; (b) a replay of as many
// events to the same receiver by a real hooktape and a real engine, with each attempt's intent and outcome on disk
// (fsync) and in ClickHouse. Then it measures the time from a live webhook to its endpoint, the ingest's throughput
// during a replay, and the memory of the delivering process while very many deliveries wait for a dead endpoint.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

// bench is one run.
type bench struct {
	harness     *harness.Harness
	out         io.Writer
	events      int
	connections int
	pending     int
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchreplay", flag.ContinueOnError)
	b := &bench{out: stdout}
	flags.IntVar(&b.events, "events", 200_000, "events to send")
	flags.IntVar(&b.connections, "connections", 256, "requests at once")
	flags.IntVar(&b.pending, "pending", 5_000_000, "deliveries that wait for a dead endpoint")
	var err error
	if b.harness, err = harness.Open(ctx, flags, args); err != nil {
		return err
	}
	defer b.harness.Close()
	bare, err := b.bare(ctx)
	if err != nil {
		return fmt.Errorf("the bare loop: %w", err)
	}
	replayed, err := b.replay(ctx)
	if err != nil {
		return fmt.Errorf("the replay: %w", err)
	}
	live, err := b.live(ctx)
	if err != nil {
		return fmt.Errorf("live webhooks: %w", err)
	}
	waiting, err := b.waiting(ctx)
	if err != nil {
		return fmt.Errorf("the dead endpoint: %w", err)
	}
	return b.report(bare, replayed, live, waiting)
}

// speed has the figures of a part.
type speed struct {
	events   int
	took     time.Duration
	hooktape time.Duration // processor time
	engine   time.Duration
	peak     int64 // bytes of memory of hooktape
	frozen   time.Duration
}

func (s speed) perSecond() float64 { return float64(s.events) / s.took.Seconds() }

func (b *bench) report(bare, replayed speed, live beside, waiting int64) error {
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\npart\tdeliveries/s\tCPU s/1,000 of hooktape\tof ClickHouse\tpeak RSS MiB\t\n")
	fmt.Fprintf(w, "(a) bare loop\t%.0f\t\t\t\t\n", bare.perSecond())
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(replayed.events) }
	fmt.Fprintf(w, "(b) replay\t%.0f\t%.3f\t%.3f\t%d\t\n", replayed.perSecond(), each(replayed.hooktape),
		each(replayed.engine), replayed.peak>>20)
	if err := w.Flush(); err != nil {
		return err
	}
	w = tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(figure, format string, measured, aim float64, reached bool) {
		mark := ""
		if !reached {
			mark = "not reached"
		}
		fmt.Fprintf(w, "%s\t"+format+"\t"+format+"\t%s\t\n", figure, measured, aim, mark)
	}
	fmt.Fprintf(w, "\nfigure\tmeasured\taim\t\t\n")
	atLeast := func(figure, format string, measured, aim float64) {
		line(figure, format, measured, aim, measured >= aim)
	}
	atMost := func(figure, format string, measured, aim float64) {
		line(figure, format, measured, aim, measured <= aim)
	}
	atLeast("(b)/(a), at least", "%.2f", replayed.perSecond()/bare.perSecond(), 0.5)
	atLeast("(b), deliveries/s, at least", "%.0f", replayed.perSecond(), 5000)
	atMost(fmt.Sprintf("RSS with %d pending for a dead endpoint, MiB, at most", b.pending), "%.0f",
		float64(waiting>>20), 300)
	atMost(fmt.Sprintf("%d events frozen, s, at most", replayed.events), "%.1f", replayed.frozen.Seconds(),
		10*float64(replayed.events)/1e6)
	atMost("live: from arrival to the endpoint, p50, s, at most", "%.2f", live.p50.Seconds(), 1.5)
	fmt.Fprintf(w, "… p99, s\t%.2f\t\t\t\n", live.p99.Seconds())
	atLeast("webhooks/s beside a replay, of those alone, at least", "%.2f", live.shared/live.alone, 0.5)
	fmt.Fprintf(w, "… webhooks/s alone\t%.0f\t\t\t\n", live.alone)
	return w.Flush()
}
