package main

import (
	"context"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hooktape/test/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFigures runs parts with almost no load and verifies that each figure is printed. It omits a, which needs another
// program, and c, which needs a fast machine.
func TestFigures(t *testing.T) {
	processes, err := harness.New(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer processes.Close()
	var out strings.Builder
	b := &webhooks{bench: &bench{Harness: processes, out: io.MultiWriter(&out, t.Output()), begun: time.Now()},
		each: 200 * time.Millisecond, away: time.Second, backlog: 500}
	for _, measure := range []func(context.Context) error{b.promise, b.drained, b.outage} {
		if err := measure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.print(); err != nil {
		t.Fatal(err)
	}
	for _, figure := range []string{"drained, per second", "(d)/plain", "RSS while", "bytes an event on",
		"body_sha256"} {
		if !strings.Contains(out.String(), figure) {
			t.Errorf("%q is missing", figure)
		}
	}
}

// TestAccountNeedsNoPrograms verifies that the benchmarks of an existing account build nothing, because they run nothing.
func TestAccountNeedsNoPrograms(t *testing.T) {
	t.Setenv("PATH", "")
	a, err := openAccount(t.Context(), flag.NewFlagSet("dashboards", flag.ContinueOnError),
		[]string{"-dsn", "http://127.0.0.1:1/account"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestBounded(t *testing.T) {
	const k = 1000
	for name, c := range map[string]struct {
		w    waiting
		want bool
	}{
		"small":        {waiting{0, 9 * k, 2 * k, 8 * k, 3 * k, 9 * k}, true},
		"high, steady": {waiting{90 * k, 100 * k, 99 * k, 101 * k, 100 * k, 102 * k}, true},
		"growing":      {waiting{10 * k, 20 * k, 30 * k, 40 * k, 50 * k, 60 * k}, false},
		"no samples":   {nil, false},
	} {
		if got := c.w.bounded(); got != c.want {
			t.Errorf("%s: bounded is %v", name, got)
		}
	}
}
