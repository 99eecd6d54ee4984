package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// tracePanel is the number of the trace panel. Links open that panel.
const tracePanel = "14"

// pipeline shows the health of hooktape itself.
func pipeline() *dashboard.DashboardBuilder {
	return board("hooktape-pipeline", "Pipeline",
		"The health of hooktape: how fast it responds, stores and delivers, and its errors.").
		Time("now-24h", "now").
		WithVariable(box("trace_id", "Trace",
			"The id of a trace; empty for the slowest request of the selected time.")).
		WithPanel(figures(about{sql: "pipeline/response_time", title: "Response time", width: 5, height: 4,
			text: "The time from reading the header of a request to the response: the median, and p99, which 99 % " +
				"of the requests in this time did not exceed. hooktape responds when the request is on disk. " +
				"External requests, which wait for an endpoint, are left out. Traced requests only.",
			empty: "No traces in this time"}).
			Unit("ms").Decimals(1).
			Thresholds(steps("text", from(0, good), from(250, doubt), from(1_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/disk_write", title: "Disk write time", width: 5, height: 4,
			text: "The time from reading a request to having it on disk (fsync): the median, and p99, which 99 % of " +
				"the requests in this time did not exceed. Traced requests only.",
			empty: "No traces in this time"}).
			Unit("ms").Decimals(1).
			Thresholds(steps("text", from(0, good), from(250, doubt), from(1_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/storage_lag", title: "Storage lag", width: 4, height: 4,
			text: "The time from receiving a request to having it in ClickHouse, where the dashboards see it. p95: " +
				"95 % of the requests took no longer. Less than 5 seconds is good, a minute or more is bad.",
			empty: "No requests in this time"}).
			Unit("ms").
			Thresholds(steps("text", from(0, good), from(5_000, doubt),
				from(60_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/insert", title: "Inserts", width: 4, height: 4,
			text: "Batch size: the average number of requests that hooktape inserts at once. p95: the duration that " +
				"95 % of the inserts in this time did not exceed.",
			empty: "No inserts in this time"}).
			Decimals(0).
			OverrideByName("p95", append(limits(good, from(1_000, doubt), from(10_000, bad)), property("unit", "ms"),
				property("color", map[string]any{"mode": "thresholds"})))).
		WithPanel(figures(about{sql: "pipeline/errors", title: "Errors", width: 6, height: 4,
			text: "hooktape: responses to BotHelp with status 5xx, and inserts that failed and were retried. " +
				"Endpoints: failed delivery attempts and external requests. Quarantined: rows that ClickHouse " +
				"rejected, now in the table quarantine, of all time.",
			empty: "No errors"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text", from(0, good), from(1, bad))).
			OverrideByName("Endpoints", limits("text"))).
		WithPanel(quantiles(about{sql: "pipeline/response_time_over_time", title: "Response time over time", width: 12,
			height: 8,
			text: "The time from reading the header of a request to the response: the median, and the times that " +
				"95 % and 99 % of the requests did not exceed.",
			empty: "No traces in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/disk_write_over_time", title: "Disk write time over time", width: 12,
			height: 8,
			text: "The time from reading a request to having it on disk (fsync): the median, and the times that 95 " +
				"% and 99 % of the requests did not exceed. Several requests share one fsync.",
			empty: "No traces in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/storage_lag_over_time", title: "Storage lag over time", width: 12,
			height: 8,
			text: "The time from receiving requests to having them in ClickHouse, by the time of receipt. It grows " +
				"while ClickHouse is not available: requests wait on disk.",
			empty: "No requests in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/insert_duration_over_time", title: "Insert duration over time",
			width: 12, height: 8,
			text: "The duration of an insert into ClickHouse, decoding included: the median, and the times that 95 " +
				"% and 99 % of the inserts did not exceed.",
			empty: "No inserts in this time"})).
		WithPanel(lines(about{sql: "pipeline/batches_over_time", title: "Batch size over time", width: 8, height: 8,
			text: "The number of requests that hooktape inserts at once: the average and the maximum. hooktape " +
				"waits half a second for more requests, and longer if ClickHouse is slow.",
			empty: "No inserts in this time"}).
			Decimals(0).
			MaxDataPoints(150).
			ShowPoints(common.VisibilityModeAuto).
			OverrideByName("Average", colored(neutral)).
			OverrideByName("Maximum", colored(doubt))).
		WithPanel(numbered(lines(about{sql: "pipeline/response_time_by_endpoint", title: "Response time by endpoint",
			width: 8, height: 8,
			text:  "The time within which 95 % of the delivery attempts ended, with or without a response.",
			empty: "No attempts in this time"}).
			Unit("ms").
			MaxDataPoints(150).
			ShowPoints(common.VisibilityModeAuto).
			SpanNulls(common.BoolOrFloat64{Bool: new(true)}).
			DisplayName(series))).
		WithPanel(stacked(about{sql: "pipeline/errors_over_time", title: "Errors over time", width: 8, height: 8,
			text: "Traces with an error over time: responses to BotHelp with status 5xx, inserts into ClickHouse " +
				"that failed and were retried, and failed delivery attempts and external requests.",
			empty: "No errors"}).
			OverrideByName("delivery attempt", colored(doubt)).
			OverrideByName("external request", colored("light-red")).
			OverrideByName("insert", colored("dark-red"))).
		WithPanel(slowest()).
		WithPanel(traceView(about{sql: "pipeline/trace", title: "Trace view", width: 24, height: 16,
			text: "The trace with the id above and the traces linked to it: the request, the insert that stored it " +
				"(for the first 32 requests of an insert) and each delivery attempt. Without an id, the slowest " +
				"request of this time.",
			empty: "No trace with this id"}))
}

func slowest() *table.PanelBuilder {
	return rows(about{sql: "pipeline/slowest", title: "Slowest operations", width: 24, height: 9,
		text: "The twenty slowest requests, inserts, and delivery attempts or external requests in this time. Trace " +
			"shows the trace in the panel below.",
		empty: "No traces in this time"}).
		OverrideByName("Started", width(moment)).
		OverrideByName("Operation", width(moment)).
		OverrideByName("Details", width(300)).
		OverrideByName("Duration", append(barCell(neutral), property("unit", "ms"), property("custom.width", 300))).
		OverrideByName("Result", inWords(resultWords, 90)).
		OverrideByName("Trace", door("show", "Show the trace below",
			"/d/hooktape-pipeline?${datasource:queryparam}&${__url_time_range}&var-trace_id=${__value.raw}", 75))
}

// traceView draws a trace; the SDK has no builder for this kind of panel.
func traceView(a about) *dashboard.PanelBuilder {
	return show(dashboard.NewPanelBuilder().Type("traces"), a, Trace)
}
