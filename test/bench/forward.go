package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hooktape/test/harness"
)

const (
	bots    = 64  // connections
	calm    = 500 // requests a second
	hanging = 1000
	// forwarding continues the list of sources.
	forwarding = `  - {name: price, token: %[1]s, forward: {to: backend, append: [path, query], expect: [price]}}
  - {name: dead, token: %[1]s, forward: {to: dead, deadline: 2m, max_in_flight: %[2]d}}
endpoints:
  - {name: backend, url: 'http://%[3]s/', allow_private: true}
  - {name: dead, url: 'http://%[4]s/', allow_private: true, breaker: {failures: 0}}
`
)

// forward measures what it costs a bot that its External Request goes through hooktape: requests to a backend directly,
// and the same through `hooktape ingest` with ClickHouse.
func forward(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	each := flags.Duration("each", 10*time.Second, "time of each run")
	b, err := open(ctx, flags, args, stdout)
	if err != nil {
		return err
	}
	defer b.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"price":"1990","paid":"no"}`)
	}))
	defer server.Close()
	backend := server.Listener.Addr().String()
	dead, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts connections
	if err != nil {
		return err
	}
	defer dead.Close()
	engine, h, err := b.ingesting(ctx, fmt.Sprintf(forwarding, harness.Token, hanging, backend, dead.Addr()))
	if err != nil {
		return err
	}
	defer engine.Kill()
	defer h.Kill()
	sync, err := fsync(h.Dir())
	if err != nil {
		return err
	}
	var failed error
	measure := func(name string, to target, rate float64) measured {
		m, err := b.load(ctx, to, bots, rate, *each, nil)
		failed = errors.Join(failed, err)
		b.say("%-46s %6.0f/s, p50 %8v, p99 %8v, failed %d, CPU per request %v", name, m.Rate(), m.Percentile(50),
			m.Percentile(99), m.failed, m.cpu)
		return m
	}
	through := target{h.Addr, "price", []*harness.Process{h.Process, engine.Process}}
	b.say("CPU is of hooktape and of ClickHouse")
	direct := measure("direct", target{backend, "price", nil}, calm)
	forwarded := measure("through hooktape", through, calm)
	measure("direct, as many as go", target{backend, "price", nil}, 0)
	fastest := measure("through hooktape, as many as go", through, 0)
	other := target{h.Addr, harness.Source, nil}
	alone := measure("another source, alone", other, calm)
	release, err := occupy(ctx, h.Addr)
	if err != nil {
		return err
	}
	beside := measure(fmt.Sprintf("another source, beside %d hanging requests", hanging), other, calm)
	release()
	added := func(p float64) float64 { return milliseconds(forwarded.Percentile(p) - direct.Percentile(p)) }
	b.note("one fsync of 1 KiB, p50, ms", "%.2f", milliseconds(sync))
	b.atMost(milliseconds(sync)+1, "added p50, ms: one fsync and 1 ms", "%.2f", added(50))
	b.atMost(10, "added p99, ms", "%.2f", added(99))
	b.atLeast(4000, "sustained, per second", "%.0f", fastest.Rate())
	b.atMost(5, "p99 of another source beside hanging requests, ms later", "%.2f",
		milliseconds(beside.Percentile(99)-alone.Percentile(99)))
	return errors.Join(failed, b.printFigures())
}

// occupy sends the hanging requests, and returns when all of them are on their way.
func occupy(ctx context.Context, addr string) (release func(), err error) {
	var mu sync.Mutex
	var conns []net.Conn
	var group sync.WaitGroup
	request := "GET /hooks/dead/" + harness.Token + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range hanging {
		group.Go(func() {
			conn, failed := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if failed == nil {
				_, failed = io.WriteString(conn, request)
			}
			mu.Lock()
			defer mu.Unlock()
			conns, err = append(conns, conn), errors.Join(err, failed)
		})
	}
	group.Wait()
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}, err
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
