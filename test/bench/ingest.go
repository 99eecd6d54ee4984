package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"hooktape/internal/testutil"
	"hooktape/test/harness"
	"hooktape/test/load"
)

// webhooks measures the cost of hooktape's promise:
//
//	a     a gin handler that reads the body and answers 200
//	b     hooktape ingest with fsync and tracing, nothing drained: ClickHouse is not there, spans are made and dropped
//	c     the same with ClickHouse: drain and span export run; what is sustained with a bounded backlog
//	d     a backlog drained with no other load, beside a plain insert of the same rows; bytes per event on disk
//	rss   the memory of hooktape while ClickHouse is away at full load
//
// hooktape and the handler run with the same settings, those of the environment.
type webhooks struct {
	*bench
	each    time.Duration
	sustain time.Duration
	away    time.Duration
	backlog uint64

	runs    []loaded
	columns []weight
}

// loaded is one run of load.
type loaded struct {
	part        string
	connections int
	measured
	peakRSS int64
}

// connections are the numbers of connections in a, b and c; most is the highest.
var connections = []int{1, 64, most}

const most = 256

func ingest(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("ingest", flag.ContinueOnError)
	b := &webhooks{}
	parts := flags.String("parts", "a,b,c,d,rss", "what to measure")
	flags.DurationVar(&b.each, "each", 10*time.Second, "time of each run of a, b and c")
	flags.DurationVar(&b.sustain, "sustain", time.Minute,
		"time of the sustained run of c; the one at half its rate takes half of that")
	flags.DurationVar(&b.away, "away", time.Minute, "how long ClickHouse is away in rss")
	flags.Uint64Var(&b.backlog, "backlog", 500_000, "events of the backlog in d")
	if b.bench, err = open(ctx, flags, args, stdout); err != nil {
		return err
	}
	defer b.Close()
	b.say("%s, %d processors, GOMAXPROCS=%q GOGC=%q", runtime.Version(), runtime.NumCPU(), os.Getenv("GOMAXPROCS"),
		os.Getenv("GOGC"))
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"a", b.bare}, {"b", b.promise}, {"c", b.whole}, {"d", b.drained}, {"rss", b.outage}} {
		if !strings.Contains(","+*parts+",", ","+part.name+",") {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("part %s: %w", part.name, err)
		}
	}
	return b.print()
}

// load loads processes, of which the first answers at addr, and keeps the result.
func (b *webhooks) load(ctx context.Context, part, addr string, connections int, rate float64, d time.Duration,
	watch func(context.Context, *load.Run) error, processes ...*harness.Process) (m measured, err error) {
	m, err = b.bench.load(ctx, target{addr, harness.Source, processes}, connections, rate, d, watch)
	if err != nil {
		return m, err
	}
	peak, err := processes[0].PeakRSS()
	b.runs = append(b.runs, loaded{part, connections, m, peak})
	b.say("%-12s %3d connections: %.0f/s, p50 %v, p99 %v", part, connections, m.Rate(), m.Percentile(50),
		m.Percentile(99))
	return m, err
}

// rateOf returns the rate of a run, 0 if there was none.
func (b *webhooks) rateOf(part string, connections int) float64 {
	for _, r := range b.runs {
		if r.part == part && r.connections == connections {
			return r.Rate()
		}
	}
	return 0
}

// print prints all results.
func (b *webhooks) print() error {
	table := b.table()
	fmt.Fprintln(table,
		"\npart\tconnections\trequests/s\tp50 ms\tp99 ms\tslowest ms\tCPU s/1,000\tof ClickHouse\tof the "+
			"load\tpeak RSS MiB\tfailed\t")
	for _, r := range b.runs {
		var engine time.Duration
		if len(r.cpu) > 1 {
			engine = r.cpu[1]
		}
		// A request's milliseconds are a thousand requests' seconds.
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.1f\t%.3f\t%.3f\t%.3f\t%d\t%d\t\n", r.part, r.connections,
			r.Rate(), milliseconds(r.Percentile(50)), milliseconds(r.Percentile(99)), milliseconds(r.Percentile(100)),
			milliseconds(r.cpu[0]), milliseconds(engine), milliseconds(r.generator), r.peakRSS>>20, r.failed)
	}
	table.Flush()
	fmt.Fprintln(table, "\ncolumn\tbytes an event\t")
	for _, w := range b.columns {
		fmt.Fprintf(table, "%s\t%.2f\t\n", w.column, w.bytes)
	}
	table.Flush()
	return b.printFigures()
}

// bare measures a handler that stores nothing, in its own process: the limit of gin and the machine.
func (b *webhooks) bare(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	addr, err := testutil.FreeAddr()
	if err != nil {
		return err
	}
	process, err := b.NewProgram(ctx, addr, self, baseline, addr)
	if err != nil {
		return err
	}
	defer process.Kill()
	for _, n := range connections {
		if _, err := b.load(ctx, "a", addr, n, 0, b.each, nil, process); err != nil {
			return err
		}
	}
	return nil
}

// baseline is the command of that handler's process.
const baseline = "baseline"

// serveBaseline serves that handler at the address in args. Its answer is as long as hooktape's.
func serveBaseline(ctx context.Context, args []string, _ io.Writer) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	answer := []byte(`{"id":"01890000-0000-7000-8000-000000000000","received_at":"2026-01-02T03:04:05.678901Z"}` + "\n")
	engine.POST("/hooks/*hook", func(c *gin.Context) {
		if _, err := io.ReadAll(c.Request.Body); err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		c.Data(http.StatusOK, "application/json", answer)
	})
	server := &http.Server{Addr: args[0], Handler: engine, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// promise measures hooktape without ClickHouse: only capture, spans, spool and fsync. Each run has its own spool,
// because nothing drains it.
func (b *webhooks) promise(ctx context.Context) error {
	for _, n := range connections {
		h, err := b.NewHooktape(ctx, harness.NoClickHouse, "")
		if err != nil {
			return err
		}
		_, err = b.load(ctx, "b", h.Addr, n, 0, b.each, nil, h.Process)
		h.Kill()
		if err != nil {
			return err
		}
	}
	if bare := b.rateOf("a", most); bare > 0 {
		b.atLeast(0.6, "(b)/(a) at 256", "%.2f", b.rateOf("b", most)/bare)
	}
	return nil
}

// whole measures all of hooktape: capture, spool, drain and spans, with ClickHouse on the same processors.
func (b *webhooks) whole(ctx context.Context) error {
	engine, h, err := b.ingesting(ctx, "")
	if err != nil {
		return err
	}
	defer engine.Kill()
	defer h.Kill()
	for _, n := range connections[:len(connections)-1] {
		if _, _, err := b.watched(ctx, h, engine, "c", n, 0, b.each); err != nil {
			return err
		}
	}
	rate, err := b.sustained(ctx, h, engine)
	if err != nil {
		return err
	}
	half, err := b.load(ctx, "c, half", h.Addr, most, rate/2, b.sustain/2, nil, h.Process, engine.Process)
	if err != nil {
		return err
	}
	b.atLeast(8000, "(c) sustained, per second", "%.0f", rate)
	b.atMost(25, "p99 of (c) at half of that, ms", "%.1f", milliseconds(half.Percentile(99)))
	if err := errors.Join(b.empty(ctx, h), h.Stop(time.Minute)); err != nil {
		return err
	}
	// A full queue drops spans, not events.
	traced, err := harness.Database(engine.DSN("hooktape")).Number(ctx, `SELECT toUInt64(1000 * countIf(SpanKind = 'Server') /
		greatest(1, (SELECT count() FROM events))) FROM otel_traces`)
	b.note("(c) requests whose span is stored, %", "%.1f", float64(traced)/10)
	return err
}

// empty waits until the spool is empty.
func (b *webhooks) empty(ctx context.Context, h *harness.Hooktape) error {
	return harness.Until(ctx, 5*time.Minute, "the spool to drain", func() bool {
		ready, err := harness.AskReady(ctx, h.Addr)
		return err == nil && ready.Drain.WaitingEvents == 0
	})
}

// few is the number of waiting events that are no backlog but batches in progress.
const few = 30_000

// probe estimates the sustainable rate: it sends as fast as it can, but not while more than few events wait.
func (b *webhooks) probe(ctx context.Context, h *harness.Hooktape) (rate float64, err error) {
	m, err := b.load(ctx, "c, probe", h.Addr, most, 0, 2*b.each, func(ctx context.Context, l *load.Run) error {
		for ctx.Err() == nil {
			ready, err := harness.AskReady(ctx, h.Addr)
			if err == nil {
				l.Hold(ready.Drain.WaitingEvents > few)
			}
			_ = harness.Pause(ctx, 20*time.Millisecond)
		}
		return nil
	}, h.Process)
	if err != nil {
		return 0, err
	}
	return m.Rate(), b.empty(ctx, h)
}

// sustained finds the highest rate with a bounded backlog. It tries a closed loop, in which each connection waits for
// the answer, and then lower and lower rates.
func (b *webhooks) sustained(ctx context.Context, h *harness.Hooktape, engine *harness.Engine) (float64, error) {
	const tries, step = 6, 0.93
	m, w, err := b.watched(ctx, h, engine, "c", most, 0, b.sustain)
	if err != nil || w.bounded() {
		return m.Rate(), err
	}
	rate, err := b.probe(ctx, h)
	if err != nil {
		return 0, err
	}
	for range tries {
		m, w, err := b.watched(ctx, h, engine, "c, open loop", most, rate, b.sustain)
		if err != nil {
			return 0, err
		}
		if w.bounded() && m.Rate() > rate*0.98 {
			return m.Rate(), nil
		}
		rate *= step
	}
	return 0, fmt.Errorf("no rate down to %.0f/s could be sustained", rate)
}

// watched loads hooktape and watches the backlog. It returns when the backlog is empty.
func (b *webhooks) watched(ctx context.Context, h *harness.Hooktape, engine *harness.Engine, part string,
	connections int, rate float64, d time.Duration) (m measured, w waiting, err error) {
	m, err = b.load(ctx, part, h.Addr, connections, rate, d, func(ctx context.Context, _ *load.Run) error {
		for harness.Pause(ctx, d/12) == nil {
			if ready, err := harness.AskReady(ctx, h.Addr); err == nil {
				w = append(w, ready.Drain.WaitingEvents)
			}
		}
		return nil
	}, h.Process, engine.Process)
	b.say("%-12s     backlog over time: %v", part, w)
	return m, w, errors.Join(err, b.empty(ctx, h))
}

// waiting is the number of events in the spool at regular times.
type waiting []int64

// bounded reports whether the last third is not higher than the middle one, or no backlog at all.
func (w waiting) bounded() bool {
	third := len(w) / 3
	if third == 0 {
		return false
	}
	return mean(w[2*third:]) <= max(few, mean(w[third:2*third])*11/10)
}

func mean(w waiting) (sum int64) {
	for _, n := range w {
		sum += n
	}
	return sum / int64(len(w))
}

// outage measures hooktape's memory after ClickHouse is killed at full load.
func (b *webhooks) outage(ctx context.Context) error {
	engine, h, err := b.ingesting(ctx, "")
	if err != nil {
		return err
	}
	defer engine.Kill()
	defer h.Kill()
	var largest int64
	m, err := b.load(ctx, "rss", h.Addr, most, 0, b.away, func(ctx context.Context, _ *load.Run) error {
		engine.Kill()
		for harness.Pause(ctx, 200*time.Millisecond) == nil {
			now, err := h.RSS()
			if err != nil {
				return err
			}
			largest = max(largest, now)
		}
		return nil
	}, h.Process)
	if err != nil {
		return err
	}
	if m.failed > 0 {
		return fmt.Errorf("%d requests failed while ClickHouse was away", m.failed)
	}
	b.atMost(300, "RSS while ClickHouse is away, MiB", "%.0f", float64(largest)/(1<<20))
	return nil
}
