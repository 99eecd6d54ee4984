// Command flood attacks a hooktape as anyone on the internet can. It measures the largest memory of the process, and
// how many webhooks of a known sender are answered with 200 meanwhile, and how fast.
//
//	go run ./test/flood               about three minutes
//	go run ./test/flood -only slow    only the attacks whose names contain this
//	go run ./test/flood -bin DIR      another build of the programs, to compare with
//
// Each attack has its own `hooktape serve` and ClickHouse. Attackers use the addresses from 127.0.0.2 on, the known
// sender 127.0.0.1. The program fails if the memory exceeds the limit in docs/OPERATIONS.md, or if a tenth of the known
// sender's webhooks are not answered with 200. Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

// attack is one way to overload a service. begin returns when the attack is running; it lasts until ctx ends.
type attack struct {
	name  string
	tls   bool
	begin func(ctx context.Context, t *target)
}

var attacks = []attack{
	{"nothing", false, func(context.Context, *target) {}},
	{"idle connections", false, idle},
	{"headers of many lines", false, headers},
	{"slow bodies, unknown senders", false, func(ctx context.Context, t *target) {
		slowBodies(ctx, t, "/hooks/nobody/nothing")
	}},
	{"slow bodies, with a token", false, func(ctx context.Context, t *target) { slowBodies(ctx, t, hook) }},
	{"idle TLS connections", true, idle},
	{"slow bodies over TLS, unknown senders", true, func(ctx context.Context, t *target) {
		slowBodies(ctx, t, "/hooks/nobody/nothing")
	}},
	{"slow bodies over TLS, with a token", true, func(ctx context.Context, t *target) { slowBodies(ctx, t, hook) }},
	{"large bodies, with a token", false, largeBodies},
}

const (
	hook    = "/hooks/" + harness.Source + "/" + harness.Token
	maxRSS  = 300 << 20
	settle  = 2 * time.Second
	goodFor = 0.9 // of the known sender's webhooks
)

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	only := flags.String("only", "", "only the attacks whose names contain this")
	settings := flags.String("settings", "", "lines for hooktape's configuration file")
	hold := flags.Duration("hold", 15*time.Second, "how long each attack lasts")
	processes, err := harness.Open(ctx, flags, args)
	if err != nil {
		return err
	}
	defer processes.Close()
	var failed []error
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "attack\tconnections\trefused\tpeak RSS MiB\tknown sender\t200\tp50 ms\tp99 ms\tslowest ms\t")
	for _, a := range attacks {
		if !strings.Contains(a.name, *only) {
			continue
		}
		r, err := one(ctx, processes, a, *settings, *hold)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%.1f %%\t%d\t%d\t%d\t\n", a.name, r.opened, r.refused, r.rss>>20,
			r.sent, 100*r.good(), r.percentile(50), r.percentile(99), r.percentile(100))
		if r.rss > maxRSS || r.good() < goodFor {
			failed = append(failed,
				fmt.Errorf("%s: %d MiB, %.1f %% of the known sender's webhooks answered with 200: %v", a.name,
					r.rss>>20, 100*r.good(), r.other))
		}
	}
	table.Flush()
	return errors.Join(failed...)
}

// result has the figures of one attack.
type result struct {
	*sender
	opened, refused int64
	rss             int64
}

func one(ctx context.Context, processes *harness.Harness, a attack, settings string, hold time.Duration) (r result,
	err error) {
	t, err := newTarget(ctx, processes, a.tls, settings)
	if err != nil {
		return r, err
	}
	defer t.end()
	ctx, cancel := context.WithCancel(ctx)
	r.sender = newSender(t)
	defer func() { cancel(); t.attackers.Wait(); r.sender.wait() }()
	r.sender.begin(ctx)
	if err := harness.Pause(ctx, settle); err != nil {
		return r, err
	}
	a.begin(ctx, t)
	if err := harness.Pause(ctx, hold); err != nil {
		return r, err
	}
	if t.hooktape.Ended() {
		return r, fmt.Errorf("hooktape has ended: %s", t.hooktape.Said())
	}
	r.opened, r.refused = t.opened.Load(), t.refused.Load()
	r.rss, err = t.hooktape.PeakRSS()
	return r, err
}
