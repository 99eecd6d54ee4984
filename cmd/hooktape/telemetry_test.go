package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// series returns the names and labels of all samples.
func series(page string) (list []string) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			name, _, _ := strings.Cut(line, "} ")
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestTelemetry sends ordinary and hostile traffic through the real program and checks its logs, metrics and spans.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.traffic()

	t.Run("document", func(t *testing.T) { assertDocument(t, w.scrape()) })
	t.Run("exemplars", func(t *testing.T) { assertExemplars(t, w) })
	t.Run("bounded labels", func(t *testing.T) {
		before := series(w.scrape())
		for n := range 2 {
			w.hostile(fmt.Sprintf("invented%d", n))
			w.cli("replay", "create", "--source", "demo", "--step", "start", "--mode", "all", "--yes", "--to",
				fmt.Sprintf("%s/invented%d", w.receiver.URL, n))
		}
		w.eventually("series of replays disappear with the replays", func() error {
			added := slices.DeleteFunc(series(w.scrape()), func(s string) bool { return slices.Contains(before, s) })
			if len(added) > 0 {
				return fmt.Errorf("new series:\n%s", strings.Join(added, "\n"))
			}
			return nil
		})
	})
	t.Run("log lines have their trace", func(t *testing.T) {
		line := regexp.MustCompile(`msg="ClickHouse refuses an event.* trace_id=([0-9a-f]{32}) span_id=[0-9a-f]{16}`).FindStringSubmatch(w.output.String())
		if line == nil {
			t.Fatalf("no line with its trace in\n%s", w.output)
		}
		id, _ := hex.DecodeString(line[1])
		w.eventually("the collector gets the log line with its trace", func() error {
			if logs := w.collector.got("/v1/logs"); !bytes.Contains(logs, []byte("ClickHouse refuses an event")) ||
				!bytes.Contains(logs, id) {
				return fmt.Errorf("logs: %q", logs)
			}
			return nil
		})
	})

	page := w.scrape()
	w.stop()
	for where, text := range map[string]string{"the log": withoutBanner(w.output.String(), w.hook), "a metric": page,
		"OTLP traces": string(w.collector.got("/v1/traces")), "OTLP metrics": string(w.collector.got("/v1/metrics")),
		"OTLP logs": string(w.collector.got("/v1/logs"))} {
		if len(text) < 1000 {
			t.Errorf("%s is nearly empty: %q", where, text)
		}
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s contains %q: …%q…", where, secret, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}

// withoutBanner removes the hook URL that is printed at the start for the operator.
func withoutBanner(output, hook string) string {
	var kept strings.Builder
	for line := range strings.Lines(output) {
		if !strings.Contains(line, hook) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// assertExemplars verifies that exemplars of metrics name existing traces.
func assertExemplars(t *testing.T, w *watched) {
	exemplar := regexp.MustCompile(`^(\w+)_bucket\{.* # \{span_id="[0-9a-f]{16}",trace_id="([0-9a-f]{32})"\}|^(\w+)_bucket\{.* # \{trace_id="([0-9a-f]{32})",span_id="[0-9a-f]{16}"\}`)
	found := map[string]bool{}
	for line := range strings.Lines(w.scrape()) {
		match := exemplar.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		name, trace := match[1]+match[3], match[2]+match[4]
		id, _ := hex.DecodeString(trace)
		w.eventually("the trace of an exemplar of "+name, func() error {
			if !bytes.Contains(w.collector.got("/v1/traces"), id) {
				return fmt.Errorf("no trace %s", trace)
			}
			return nil
		})
		found[name] = true
	}
	for _, name := range []string{"hooktape_ingest_request_duration_seconds", "hooktape_ingest_append_duration_seconds",
		"hooktape_delivery_duration_seconds"} {
		if !found[name] {
			t.Errorf("%s has no exemplar", name)
		}
	}
}
