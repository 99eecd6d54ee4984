package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"text/tabwriter"
	"time"

	"hooktape/test/harness"
)

// row has the results of one kind of telemetry.
type row struct {
	what       string
	told       int    // sent by hooktape
	lost       int    // sent, but not in ClickHouse
	duplicated int    // additional rows: the collector repeats an insert whose answer was lost
	example    string // of a lost one
}

// queries return told, lost and duplicated, by the events and attempts in hooktape's own tables: all events are
// accepted, and each acknowledged one has been delivered.
var queries = []struct{ what, sql string }{
	{"spans of requests", `SELECT (SELECT count() FROM events), (SELECT count() FROM events WHERE toString(id) NOT IN (
		SELECT SpanAttributes['hooktape.event.id'] FROM otel_traces WHERE SpanKind = 'Server')),
		count() - uniqExact(SpanId) FROM otel_traces WHERE SpanKind = 'Server'`},
	{"spans of attempts", `SELECT (SELECT uniqExact(trace_id) FROM attempts),
		(SELECT uniqExact(trace_id) FROM attempts WHERE trace_id NOT IN (SELECT TraceId FROM otel_traces WHERE SpanName = 'deliver')),
		count() - uniqExact(SpanId) FROM otel_traces WHERE SpanName = 'deliver'`},
	{"requests by the counter", `SELECT (SELECT count() FROM events) AS told, told - toInt64(max(Value)), 0
		FROM otel_metrics_sum
		WHERE MetricName = 'hooktape.ingest.requests' AND Attributes['hooktape.verdict'] = 'accepted'`},
}

// settling is the timeout for the last telemetry to arrive.
const settling = 30 * time.Second

// count compares the work of hooktape with the telemetry in ClickHouse, and prints the table.
func (t *trial) count(ctx context.Context) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\ntelemetry\ttold\tLOST\tduplicated\t")
	var failed []error
	add := func(count func() (row, error)) {
		var r row
		var err error
		_ = harness.Until(ctx, settling, "what was told last", func() bool {
			r, err = count()
			return err == nil && r.lost == 0 || harness.Pause(ctx, 200*time.Millisecond) != nil
		})
		if err == nil && (r.lost > 0 || r.told == 0) {
			err = fmt.Errorf("%s: %d of %d are lost %s", r.what, r.lost, r.told, r.example)
		}
		failed = append(failed, err)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", r.what, r.told, r.lost, r.duplicated)
	}
	for _, q := range queries {
		add(func() (row, error) {
			r := row{what: q.what}
			text, err := t.db.Text(ctx, q.sql)
			if err == nil {
				_, err = fmt.Sscan(text, &r.told, &r.lost, &r.duplicated)
			}
			return r, err
		})
	}
	add(func() (row, error) { return t.logLines(ctx) })
	return errors.Join(append(failed, table.Flush())...)
}

var message = regexp.MustCompile(`(?m)^time=(\S+) level=\S+ msg=("(?:[^"\\]|\\.)*"|\S+)`)

// logLines checks that each line of the processes' logs is in ClickHouse, except for the time without a collector:
// hooktape does not wait for one.
func (t *trial) logLines(ctx context.Context) (row, error) {
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
