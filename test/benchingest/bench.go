package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
)

// bench is one run.
type bench struct {
	options
	harness *harness.Harness
	out     io.Writer
	begun   time.Time

	runs    []measured
	columns []weight
	figures []figure
	next    uint64 // number of the next body
}

const seed = 1

// connections are the numbers of connections in a, b and c; most is the highest.
var connections = []int{1, 64, most}

const most = 256

// server is the target of a load.
type server struct {
	process *harness.Process
	addr    string
	engine  *harness.Process // the ClickHouse behind it, if any
}

// measured is the result of one run of load.
type measured struct {
	part        string
	connections int
	rate        float64 // acknowledged a second
	p50, p99    time.Duration
	slowest     time.Duration
	cpu         usage // for 1,000 requests
	peakRSS     int64
	failed      int // requests that were not answered with 200
}

// load loads the server for d, after a warm-up that does not count. It calls watch, if any, during the load.
func (b *bench) load(ctx context.Context, s server, name string, connections int, rate float64, d time.Duration,
	watch func(context.Context, *load.Run) error) (m measured, err error) {
	warm, cancel := context.WithTimeout(ctx, b.each/10)
	defer cancel()
	b.next = load.Start(warm, b.to(s.addr, connections, rate)).Wait().Next
	before, err := s.usage()
	if err != nil {
		return m, err
	}
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	running := load.Start(timed, b.to(s.addr, connections, rate))
	if watch != nil {
		err = watch(timed, running)
	}
	ledger := running.Wait()
	b.next = ledger.Next
	after, cpuErr := s.usage()
	peak, rssErr := s.process.PeakRSS()
	for _, e := range []error{err, cpuErr, rssErr, ctx.Err()} {
		if e != nil {
			return m, e
		}
	}
	m = measured{part: name, connections: connections, rate: ledger.Rate(), p50: ledger.Percentile(50),
		p99: ledger.Percentile(99), slowest: ledger.Percentile(100), peakRSS: peak,
		failed: ledger.Sent - len(ledger.Acks)}
	if ledger.Sent > 0 {
		m.cpu = after.since(before, ledger.Sent)
	}
	b.runs = append(b.runs, m)
	b.say("%-12s %3d connections: %.0f/s, p50 %v, p99 %v", name, connections, m.rate, m.p50, m.p99)
	return m, nil
}

func (b *bench) to(addr string, connections int, rate float64) load.Options {
	return load.Options{Addr: addr, Source: harness.Source, Token: harness.Token, Bodies: simulate.NewWebhooks(seed),
		First: b.next, Connections: connections, Rate: rate}
}

// fill fills the spool of a hooktape without ClickHouse with a number of events.
func (b *bench) fill(ctx context.Context, events uint64) (*harness.Hooktape, error) {
	h, err := b.harness.NewHooktape(ctx, harness.NoClickHouse, "")
	if err != nil {
		return nil, err
	}
	o := b.to(h.Addr, most, 0)
	o.Requests = events
	ledger := load.Start(ctx, o).Wait()
	b.next = ledger.Next
	if len(ledger.Acks) != int(events) {
		return nil, fmt.Errorf("%d of %d requests were acknowledged", len(ledger.Acks), events)
	}
	b.say("%d events lie in the spool", events)
	return h, h.Stop(time.Minute)
}

// drain starts a stopped hooktape, which drains its spool to ClickHouse. It returns the time from the start to the
// empty spool.
func (b *bench) drain(ctx context.Context, h *harness.Hooktape, dsn string) (time.Duration, error) {
	const profiled = 10 * time.Second
	h.Point(dsn)
	begun := time.Now()
	if err := h.Start(ctx); err != nil {
		return 0, err
	}
	waitForProfile := b.profile(ctx, "d", h, profiled)
	err := b.empty(ctx, h)
	took := time.Since(begun)
	return took, errors.Join(err, waitForProfile())
}

// empty waits until the spool is empty.
func (b *bench) empty(ctx context.Context, h *harness.Hooktape) error {
	return harness.Until(ctx, 5*time.Minute, "the spool to drain", func() bool {
		ready, err := harness.AskReady(ctx, h.Addr)
		return err == nil && ready.Drain.WaitingEvents == 0
	})
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// usage is the processor time of the processes.
type usage struct{ server, engine, load time.Duration }

// usage returns the processor time so far.
func (s server) usage() (u usage, err error) {
	if u.server, err = s.process.CPU(); err != nil {
		return u, err
	}
	if s.engine != nil {
		if u.engine, err = s.engine.CPU(); err != nil {
			return u, err
		}
	}
	var self syscall.Rusage
	err = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	u.load = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	return u, err
}

// since returns the processor time since before, for 1,000 of the requests.
func (u usage) since(before usage, requests int) usage {
	each := func(used time.Duration) time.Duration { return used * 1000 / time.Duration(requests) }
	return usage{each(u.server - before.server), each(u.engine - before.engine), each(u.load - before.load)}
}
