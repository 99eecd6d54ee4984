package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hooktape/dashboards"
	"hooktape/test/panels"
)

// pipeline is the dashboard of hooktape's own telemetry.
const pipeline = "hooktape-pipeline"

// ask runs the queries of the dashboard on the collector's tables: each must return rows. The trace of a webhook must
// link to its insert and its delivery, and a metric to a trace.
func (t *trial) ask(ctx context.Context) error {
	trace, err := t.db.Text(ctx,
		"SELECT Links.TraceId[1] FROM otel_traces WHERE SpanName = 'drain insert' AND StatusCode != 'Error' ORDER BY "+
			"Timestamp LIMIT 1")
	if err != nil {
		return err
	}
	view := dashboards.View{From: t.begun.Add(-time.Minute), To: time.Now().Add(time.Minute),
		Interval: 10 * time.Second, Zone: "UTC", Plugin: 4, Values: map[string][]string{"trace_id": {trace}}}
	queries, err := panels.All()
	if err != nil {
		return err
	}
	asked := 0
	var failed []error
	for _, q := range queries {
		if q.Dashboard != pipeline || q.Variable {
			continue
		}
		asked++
		sql, err := view.Expand(q.SQL)
		if err != nil {
			return err
		}
		rows, err := t.db.Lines(ctx, sql)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", q.Title, err))
		case len(rows) == 0:
			failed = append(failed, fmt.Errorf("%s shows nothing", q.Title))
		case strings.Contains(q.SQL, "parentSpanID"):
			failed = append(failed, completeTrace(rows))
		}
	}
	if asked == 0 {
		return fmt.Errorf("no dashboard %s", pipeline)
	}
	exemplars, err := t.db.Number(ctx, `SELECT count() FROM otel_traces
		WHERE TraceId IN (SELECT arrayJoin(Exemplars.TraceId) FROM otel_metrics_histogram WHERE MetricName = 'hooktape.ingest.append.duration')`)
	if exemplars == 0 && err == nil {
		err = errors.New("no exemplar of a metric leads to a trace")
	}
	if err = errors.Join(append(failed, err)...); err == nil {
		t.say("%d queries of the dashboard find what was written, and a webhook's way from request to delivery", asked)
	}
	return err
}

// completeTrace returns an error if a trace lacks a span of a webhook.
func completeTrace(rows []string) error {
	all := strings.Join(rows, "\n")
	for _, part := range []string{"receive demo", "\tstore ", "deliver to crm"} {
		if !strings.Contains(all, part) {
			return fmt.Errorf("a webhook's trace has no %q:\n%s", part, all)
		}
	}
	return nil
}
