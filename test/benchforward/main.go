// Command benchforward measures what it costs a bot that its External Request goes through hooktape: requests to a
// backend directly, and the same through `hooktape ingest` with ClickHouse. The load generator, the backend, hooktape
// and ClickHouse share the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
)

func main() { harness.Main(run) }

const (
	connections = 64
	calm        = 500 // requests a second
	hanging     = 1000
	backends    = `  - {name: price, token: %[1]s, forward: {to: backend, append: [path, query], expect: [price]}}
  - {name: dead, token: %[1]s, forward: {to: dead, deadline: 2m, max_in_flight: %[2]d}}
endpoints:
  - {name: backend, url: 'http://%[3]s/', allow_private: true}
  - {name: dead, url: 'http://%[4]s/', allow_private: true, breaker: {failures: 0}}
`
)

type bench struct {
	each time.Duration
	out  io.Writer
	next uint64 // number of the next body
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchforward", flag.ContinueOnError)
	b := &bench{out: stdout}
	flags.DurationVar(&b.each, "each", 10*time.Second, "time of each run")
	processes, err := harness.Open(ctx, flags, args)
	if err != nil {
		return err
	}
	defer processes.Close()
	backend, err := serve(ctx)
	if err != nil {
		return err
	}
	dead, err := hang(ctx)
	if err != nil {
		return err
	}
	engine, dsn, err := processes.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	h, err := processes.NewHooktape(ctx, dsn, fmt.Sprintf(backends, harness.Token, hanging, backend, dead))
	if err != nil {
		return err
	}
	defer h.Kill()
	sync, err := fsync(h.Dir())
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "one fsync of 1 KiB: p50 %v\n", sync)

	direct := b.load(ctx, "direct", backend, "price", calm)
	used, err := b.cpu(h.Process, engine.Process)
	if err != nil {
		return err
	}
	through := b.load(ctx, "through hooktape", h.Addr, "price", calm)
	if err := used(through); err != nil {
		return err
	}
	b.load(ctx, "direct, as many as go", backend, "price", 0)
	if used, err = b.cpu(h.Process, engine.Process); err != nil {
		return err
	}
	most := b.load(ctx, "through hooktape, as many as go", h.Addr, "price", 0)
	if err := used(most); err != nil {
		return err
	}
	alone := b.load(ctx, "another source, alone", h.Addr, harness.Source, calm)
	release, err := occupy(ctx, h.Addr)
	if err != nil {
		return err
	}
	beside := b.load(ctx, fmt.Sprintf("another source, beside %d hanging requests", hanging), h.Addr, harness.Source,
		calm)
	release()
	added := func(p float64) time.Duration { return through.Percentile(p) - direct.Percentile(p) }
	fmt.Fprintf(b.out, "\nadded p50 %v (aim: at most %v, one fsync and 1 ms)\nadded p99 %v (aim: at most 10 ms)\n",
		added(50), sync+time.Millisecond, added(99))
	fmt.Fprintf(b.out, "sustained %.0f/s (aim: at least 4000)\n", most.Rate())
	fmt.Fprintf(b.out, "p99 of another source %v later beside hanging requests (aim: at most 5 ms)\n",
		beside.Percentile(99)-alone.Percentile(99))
	return ctx.Err()
}

// cpu returns a function that prints the processor time which hooktape and ClickHouse have used since then for each
// request. Other load on the machine changes it less than the times.
func (b *bench) cpu(hooktape, engine *harness.Process) (used func(*load.Ledger) error, err error) {
	var before [2]time.Duration
	processes := [2]*harness.Process{hooktape, engine}
	first := b.next
	for i, p := range processes {
		if before[i], err = p.CPU(); err != nil {
			return nil, err
		}
	}
	return func(l *load.Ledger) error {
		var each [2]time.Duration
		for i, p := range processes {
			now, err := p.CPU()
			if err != nil {
				return err
			}
			each[i] = (now - before[i]) / time.Duration(max(l.Next-first, 1))
		}
		fmt.Fprintf(b.out, "%46s CPU per request: hooktape %v, ClickHouse %v\n", "", each[0].Round(time.Microsecond),
			each[1].Round(time.Microsecond))
		return nil
	}, nil
}

// load sends requests to a source for a while, after a warm-up that does not count.
func (b *bench) load(ctx context.Context, name, addr, source string, rate float64) *load.Ledger {
	var ledger *load.Ledger
	for _, d := range []time.Duration{b.each / 5, b.each} {
		timed, cancel := context.WithTimeout(ctx, d)
		ledger = load.Start(timed, load.Options{Addr: addr, Source: source, Token: harness.Token,
			Bodies: simulate.NewWebhooks(1), First: b.next, Connections: connections, Rate: rate}).Wait()
		cancel()
		b.next = ledger.Next
	}
	fmt.Fprintf(b.out, "%-46s %6.0f/s, p50 %8v, p99 %8v, failed %d\n", name, ledger.Rate(), ledger.Percentile(50),
		ledger.Percentile(99), ledger.Sent-len(ledger.Acks))
	return ledger
}

// serve starts the backend and returns its address.
func serve(ctx context.Context) (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"price":"1990","paid":"no"}`)
		})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), nil
}

// hang starts a backend that accepts connections and never answers.
func hang(ctx context.Context) (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
	}()
	return listener.Addr().String(), nil
}

// occupy sends the hanging requests, and returns when all of them are on their way.
func occupy(ctx context.Context, addr string) (release func(), err error) {
	var mu sync.Mutex
	var conns []net.Conn
	var group sync.WaitGroup
	var failed error
	request := "GET /hooks/dead/" + harness.Token + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range hanging {
		group.Go(func() {
			conn, dialed := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if dialed == nil {
				_, dialed = io.WriteString(conn, request)
			}
			mu.Lock()
			defer mu.Unlock()
			conns, failed = append(conns, conn), errors.Join(failed, dialed)
		})
	}
	group.Wait()
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}, failed
}

// fsync returns the median time of a write with fsync in a directory.
func fsync(dir string) (time.Duration, error) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	times := make([]time.Duration, 200)
	for i := range times {
		begun := time.Now()
		if _, err := file.Write(make([]byte, 1<<10)); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(begun)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
