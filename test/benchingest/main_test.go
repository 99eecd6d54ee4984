package main

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hooktape/test/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFigures lets the parts run with hardly any load: what they measure then means nothing, but each must come out.
func TestFigures(t *testing.T) {
	processes, err := harness.New(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer processes.Close()
	var out strings.Builder
	b := &bench{harness: processes, out: &out, begun: time.Now(),
		options: options{each: 200 * time.Millisecond, away: time.Second, backlog: 3000, events: 3000}}
	for _, p := range all {
		if p.name == "a" || p.name == "c" {
			continue // the first needs its own program, the second a machine that keeps up
		}
		if err := p.measure(t.Context(), b); err != nil {
			t.Fatalf("part %s: %v\n%s", p.name, err, &out)
		}
	}
	b.print()
	for _, figure := range []string{"drained, per second", "(d)/plain", "RSS while", "bytes an event on", "body_sha256"} {
		if !strings.Contains(out.String(), figure) {
			t.Errorf("%q is missing:\n%s", figure, &out)
		}
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
		"not seen":     {nil, false},
	} {
		if got := c.w.bounded(); got != c.want {
			t.Errorf("%s: bounded is %v", name, got)
		}
	}
}
