package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// tracePanel is the number of the panel that draws a trace, so that a link shows it alone.
const tracePanel = "14"

// pipeline shows how hooktape itself is doing.
func pipeline() *dashboard.DashboardBuilder {
	return board("hooktape-pipeline", "Pipeline", "How hooktape itself is doing: how fast it answers, stores and delivers, and what went wrong.").
		Time("now-24h", "now").
		WithVariable(box("trace_id", "Trace", "The id of the trace to draw; empty for the slowest request of the chosen time.")).
		WithPanel(figures(about{sql: "pipeline/answering", title: "Answering BotHelp", width: 5, height: 4,
			text:  "From having read the head of a request to having answered it: half of the requests of this time took no longer than the first number, 99 of 100 no longer than the second. The answer goes out when the request is on disk. Of requests that are traced.",
			empty: "No traces in this time"}).
			Unit("ms").Decimals(1).
			Thresholds(steps("text", from(0, good), from(250, doubt), from(1_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/saving", title: "Saving on disk", width: 5, height: 4,
			text:  "From having read a request to having it on disk for sure (fsync): half of the requests of this time took no longer than the first number, 99 of 100 no longer than the second. Of requests that are traced.",
			empty: "No traces in this time"}).
			Unit("ms").Decimals(1).
			Thresholds(steps("text", from(0, good), from(250, doubt), from(1_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/storing", title: "From receiving to storing", width: 5, height: 4,
			text:  "How long it takes until a request of this time is stored in ClickHouse and seen in the dashboards. Of 100 requests, 95 take no longer than the first number. Good is less than 5 seconds, bad a minute or more.",
			empty: "No requests in this time"}).
			Unit("ms").
			Thresholds(steps("text", from(0, good), from(5_000, doubt), from(60_000, bad))).ColorScheme(byThresholds())).
		WithPanel(figures(about{sql: "pipeline/insert", title: "Inserts", width: 4, height: 4,
			text:  "How many requests hooktape stores at once, on the average, and how long that takes: 95 of 100 inserts of this time took no longer.",
			empty: "No inserts in this time"}).
			Decimals(0).
			OverrideByName("95 of 100", append(limits(good, from(1_000, doubt), from(10_000, bad)), property("unit", "ms"), property("color", map[string]any{"mode": "thresholds"})))).
		WithPanel(figures(about{sql: "pipeline/trouble", title: "What went wrong", width: 5, height: 4,
			text:  "Errors in hooktape: answers to BotHelp that say it cannot take requests now, and inserts that failed and were tried again. Endpoints: attempts to deliver that were not taken. Set aside: what ClickHouse refused and now lies in the table quarantine, of all time.",
			empty: "Nothing"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text", from(0, good), from(1, bad))).
			OverrideByName("Endpoints", limits("text"))).
		WithPanel(quantiles(about{sql: "pipeline/answers", title: "How fast BotHelp is answered", width: 12, height: 8,
			text:  "From having read the head of a request to having answered it: half, 95 and 99 of 100 requests took no longer.",
			empty: "No traces in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/appends", title: "How fast requests are on disk", width: 12, height: 8,
			text:  "From having read a request to having it on disk for sure (fsync): half, 95 and 99 of 100 requests took no longer. Several requests share one fsync.",
			empty: "No traces in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/lag", title: "How long requests wait to be stored", width: 12, height: 8,
			text:  "From receiving requests to having them in ClickHouse, by the time at which they were received. While ClickHouse is away they wait on disk, and this grows.",
			empty: "No requests in this time"})).
		WithPanel(quantiles(about{sql: "pipeline/inserts", title: "How long inserts take", width: 12, height: 8,
			text:  "The time of an insert into ClickHouse, decoding included: half, 95 and 99 of 100 took no longer.",
			empty: "No inserts in this time"})).
		WithPanel(lines(about{sql: "pipeline/batches", title: "Requests in an insert", width: 8, height: 8,
			text:  "How many requests hooktape stores at once: the average, and the most. It waits half a second for company, longer when ClickHouse is slow.",
			empty: "No inserts in this time"}).
			Decimals(0).
			MaxDataPoints(150).
			ShowPoints(common.VisibilityModeAuto).
			OverrideByName("Average", colored(neutral)).
			OverrideByName("Largest", colored(doubt))).
		WithPanel(numbered(lines(about{sql: "pipeline/attempts", title: "How fast each endpoint answers", width: 8, height: 8,
			text:  "Of 100 attempts to deliver to the endpoint, 95 were answered, or given up, within this time.",
			empty: "Nothing was sent in this time"}).
			Unit("ms").
			MaxDataPoints(150).
			ShowPoints(common.VisibilityModeAuto).
			SpanNulls(common.BoolOrFloat64{Bool: new(true)}).
			DisplayName(series))).
		WithPanel(stacked(about{sql: "pipeline/errors", title: "What failed", width: 8, height: 8,
			text:  "Traces with an error, over time: answers to BotHelp that say hooktape cannot take requests now, inserts into ClickHouse that failed and were tried again, attempts that an endpoint did not take.",
			empty: "Nothing failed"}).
			OverrideByName("attempt at an endpoint", colored(doubt)).
			OverrideByName("insert into ClickHouse", colored("dark-red"))).
		WithPanel(slowest()).
		WithPanel(traceView(about{sql: "pipeline/trace", title: "The way of one request", width: 24, height: 16,
			text:  "The trace whose id stands above, and what belongs to it: the request, the insert that stored it (if it was among the first 32 of it), and each attempt to deliver it. With no id above it is the slowest request of this time.",
			empty: "No such trace"}))
}

func slowest() *table.PanelBuilder {
	return rows(about{sql: "pipeline/slowest", title: "The slowest", width: 24, height: 9,
		text:  "The twenty requests, inserts and attempts to deliver of this time that took longest. Trace draws each below.",
		empty: "No traces in this time"}).
		OverrideByName("Begun", width(moment)).
		OverrideByName("What", width(moment)).
		OverrideByName("Of", width(300)).
		OverrideByName("Took", append(barCell(neutral), property("unit", "ms"), property("custom.width", 300))).
		OverrideByName("Result", inWords(resultWords, 90)).
		OverrideByName("Trace", door("show", "Draw it below", "/d/hooktape-pipeline?${datasource:queryparam}&${__url_time_range}&var-trace_id=${__value.raw}", 75))
}

// traceView draws a trace; the SDK has no builder for this kind of panel.
func traceView(a about) *dashboard.PanelBuilder {
	return show(dashboard.NewPanelBuilder().Type("traces"), a, Trace)
}
