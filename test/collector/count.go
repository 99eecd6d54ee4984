package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"hooktape/test/harness"
	"hooktape/test/load"
)

// row has the results of one kind of telemetry.
type row struct {
	what       string
	told       int    // sent by hooktape
	lost       int    // sent, but not in ClickHouse
	example    string // of a lost one
	duplicated int    // additional rows: the collector repeats an insert whose answer was lost
}

// settling is the timeout for the last telemetry to arrive.
const settling = 30 * time.Second

// count compares the work of hooktape with the telemetry in ClickHouse, and prints the table.
func (t *trial) count(ctx context.Context, ledger *load.Ledger) error {
	var rows []row
	var failed []error
	for _, count := range []func(context.Context, *load.Ledger) (row, error){t.requestSpans, t.attemptSpans,
		t.requestCounter, t.logLines} {
		var r row
		var err error
		_ = harness.Until(ctx, settling, "what was told last", func() bool {
			r, err = count(ctx, ledger)
			return err == nil && r.lost == 0 || harness.Pause(ctx, 200*time.Millisecond) != nil
		})
		switch {
		case err != nil:
			failed = append(failed, err)
		case r.lost > 0 || r.told == 0:
			failed = append(failed, fmt.Errorf("%s: %d of %d are lost, such as %s", r.what, r.lost, r.told, r.example))
		}
		rows = append(rows, r)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\ntelemetry\ttold\tLOST\tduplicated\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", r.what, r.told, r.lost, r.duplicated)
	}
	return errors.Join(append(failed, table.Flush())...)
}

// requestSpans checks that each acknowledged request has its span.
func (t *trial) requestSpans(ctx context.Context, ledger *load.Ledger) (row, error) {
	r := row{what: "spans of requests", told: len(ledger.Acks)}
	lines, err := t.db.Lines(ctx,
		"SELECT SpanAttributes['hooktape.event.id'], count() FROM otel_traces WHERE SpanKind = 'Server' GROUP BY ALL")
	if err != nil {
		return r, err
	}
	stored := map[string]bool{}
	for _, line := range lines {
		id, n, _ := strings.Cut(line, "\t")
		times, err := strconv.Atoi(n)
		if err != nil {
			return r, err
		}
		stored[id] = true
		r.duplicated += times - 1
	}
	for _, ack := range ledger.Acks {
		if !stored[ack.ID.String()] {
			r.lost, r.example = r.lost+1, ack.ID.String()
		}
	}
	return r, nil
}

// attemptSpans checks that each attempt has its span.
func (t *trial) attemptSpans(ctx context.Context, _ *load.Ledger) (r row, err error) {
	r.what = "spans of attempts"
	if r.told, err = t.db.Number(ctx, "SELECT uniqExact(trace_id) FROM attempts"); err != nil {
		return r, err
	}
	if r.lost, err = t.db.Number(ctx,
		"SELECT uniqExact(trace_id) FROM attempts WHERE trace_id NOT IN (SELECT TraceId FROM otel_traces WHERE "+
			"SpanName = 'deliver')"); err != nil {
		return r, err
	}
	r.duplicated, err = t.db.Number(ctx,
		"SELECT count() - uniqExact(SpanId) FROM otel_traces WHERE SpanName = 'deliver'")
	return r, err
}

// requestCounter checks that the last value of the counter is the number of acknowledged requests.
func (t *trial) requestCounter(ctx context.Context, ledger *load.Ledger) (row, error) {
	r := row{what: "requests by the counter", told: len(ledger.Acks)}
	stored, err := t.db.Number(ctx, `SELECT toInt64(max(Value)) FROM otel_metrics_sum
		WHERE MetricName = 'hooktape.ingest.requests' AND Attributes['hooktape.verdict'] = 'accepted'`)
	r.lost = r.told - stored
	return r, err
}

var message = regexp.MustCompile(`(?m)^time=(\S+) level=\S+ msg=("(?:[^"\\]|\\.)*"|\S+)`)

// logLines checks that each line of the processes' logs is in ClickHouse, except for the time without a collector:
// hooktape does not wait for one.
func (t *trial) logLines(ctx context.Context, _ *load.Ledger) (row, error) {
	r := row{what: "log lines"}
	lines, err := t.db.Lines(ctx, "SELECT Body FROM otel_logs WHERE ServiceName = 'hooktape'")
	if err != nil {
		return r, err
	}
	stored := map[string]int{}
	for _, line := range lines {
		stored[line]++
	}
	for _, output := range []func() (string, error){t.ingest.Output, t.replay.Output} {
		text, err := output()
		if err != nil {
			return r, err
		}
		for _, match := range message.FindAllStringSubmatch(text, -1) {
			at, err := time.Parse(time.RFC3339, match[1])
			if err != nil {
				return r, err
			}
			said := match[2]
			if plain, err := strconv.Unquote(said); err == nil {
				said = plain
			}
			switch {
			case stored[said] > 0:
				stored[said]--
			case at.After(t.deaf[0]) && at.Before(t.deaf[1]):
				continue
			default:
				r.lost, r.example = r.lost+1, said
			}
			r.told++
		}
	}
	for _, more := range stored {
		r.duplicated += more
	}
	return r, nil
}
