package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// webhooks shows the requests of BotHelp, and whether some are missing.
func webhooks() *dashboard.DashboardBuilder {
	return board("hooktape-webhooks", "Webhooks",
		"The requests of BotHelp: how many, whether they were accepted and decoded, and which source "+
			"has become quiet.").
		WithVariable(several("sources", "Sources", "source")).
		WithVariable(hooktapeURL()).
		WithPanel(figures(about{sql: "webhooks/summary", title: "Requests", width: 12, height: 4,
			text: "All requests to the webhook URLs in this time, BotHelp's retries included. Accepted: the URL, " +
				"its token and, if the source requires one, the signature were valid. The other dashboards count " +
				"only accepted requests, and only these are delivered. Partly unreadable: accepted, but a part could " +
				"not be decoded, such as a truncated body. They are stored and delivered as received.",
			empty: "No requests in this time"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Accepted", append(limits(bad, from(0.95, doubt), from(0.99, good)),
				property("unit", "percentunit"), property("decimals", 2))).
			OverrideByName("Rejected", limits(good, from(1, bad))).
			OverrideByName("Partly unreadable", limits(good, from(1, doubt)))).
		WithPanel(figures(about{sql: "webhooks/last_request", title: "Last request", width: 4, height: 4,
			text: "When the last accepted request of the selected sources was received, whatever time range is " +
				"selected.",
			empty: "No accepted request yet"}).
			Unit("dateTimeFromNow").
			Text(common.NewVizTextDisplayOptionsBuilder().ValueSize(20))).
		WithPanel(figures(about{sql: "webhooks/storage_lag", title: "Storage lag", width: 8, height: 4,
			text: "The time from receiving a request to having it in ClickHouse, where the dashboards see it. p95: " +
				"95 % of the requests took no longer. A request is safe on disk long before. Less than 5 seconds is " +
				"good, a minute or more is bad.",
			empty: "No requests in this time"}).
			Unit("ms").
			Thresholds(steps("text", from(0, good), from(5_000, doubt),
				from(60_000, bad))).ColorScheme(byThresholds())).
		WithPanel(sourceActivity()).
		WithPanel(requestErrors()).
		WithPanel(numbered(stacked(about{sql: "webhooks/by_source", title: "Requests by source", width: 12, height: 8,
			text: "All requests over time by the source in their URL, rejected requests and BotHelp's retries " +
				"included.",
			empty: "No requests in this time"}))).
		WithPanel(stacked(about{sql: "webhooks/by_verdict", title: "Rejected and partly unreadable requests", width: 12,
			height: 8,
			text: "Rejected requests over time by reason, and accepted requests that could not be decoded " +
				"completely.",
			empty: "No errors"}).
			OverrideByName("partly unreadable", colored(doubt)).
			OverrideByName("bad token", colored("dark-red")).
			OverrideByName("unknown source", colored("light-red")).
			OverrideByName("method not allowed", colored("semi-dark-red")).
			OverrideByName("aborted", colored("super-light-red")).
			OverrideByName("malformed", colored(neutral))).
		WithPanel(hours(about{sql: "webhooks/hours", title: "Requests by hour of the week", width: 24, height: 10,
			text: "Average number of requests per hour in this time, by weekday and hour in your time zone (UTC in " +
				"Grafana before version 10).",
			empty: "No requests in this time"})).
		WithPanel(latestRequests())
}

// limits colours a field by thresholds of its own.
func limits(first string, above ...dashboard.Threshold) []dashboard.DynamicConfigValue {
	list := []map[string]any{{"color": first, "value": nil}}
	for _, t := range above {
		list = append(list, map[string]any{"color": t.Color, "value": *t.Value})
	}
	return []dashboard.DynamicConfigValue{property("thresholds", map[string]any{"mode": "absolute", "steps": list})}
}

// stacked are bars of series that the query's column "series" names.
func stacked(a about) *timeseries.PanelBuilder {
	return bars(a).MaxDataPoints(90).DisplayName(series).ColorScheme(fixed(bad))
}

func sourceActivity() *table.PanelBuilder {
	return rows(about{sql: "webhooks/activity", title: "Source activity", width: 14, height: 7,
		text: "How long each source has been silent, compared with the pauses between its accepted requests in the " +
			"last 14 days, whatever time range is selected. The usual pause is the 99th percentile of the pauses. " +
			"Quieter than usual: silent for longer than that. Silent: for longer than any pause in 14 days. Not " +
			"enough data: fewer than 50 requests. The table lists sources with a request in the last 90 days.",
		empty: "No accepted request in the last 90 days"}).
		OverrideByName("State", lamp(activityWords, 135)).
		OverrideByName("Silent for", span("s", 90)).
		OverrideByName("Usual pause", span("s", 100)).
		OverrideByName("Longest pause", span("s", 115)).
		OverrideByName("Last request", width(moment)).
		OverrideByName("Last 14 days", width(95))
}

func requestErrors() *table.PanelBuilder {
	return rows(about{sql: "webhooks/errors", title: "Errors", width: 10, height: 7,
		text: "Rejected requests in this time, and accepted requests that could not be decoded completely, by " +
			"reason and source.",
		empty: "No errors"}).
		OverrideByName("Result", inWords(errorWords, 150)).
		OverrideByName("Source", width(75)).
		OverrideByName("Unreadable", whole).
		OverrideByName("Requests", width(80)).
		OverrideByName("Last", width(moment))
}

func latestRequests() *table.PanelBuilder {
	return rows(about{sql: "webhooks/latest", title: "Latest requests", width: 24, height: 12,
		text: "The newest 200 requests in this time, rejected ones included. A name opens the subscriber, Request " +
			"opens the request in the console, Trace shows how hooktape processed it.",
		empty: "No requests in this time"}).
		OverrideByName("Received", width(moment)).
		OverrideByName("Source", width(110)).
		OverrideByName("Step", width(120)).
		OverrideByName("Kind", inWords(kindWords, 160)).
		OverrideByName("Result", inWords(verdictWords, 130)).
		OverrideByName("Name", []dashboard.DynamicConfigValue{link("Show this subscriber", toPerson)}).
		OverrideByName("Messenger", width(110)).
		OverrideByName("Request", door("open", "Open the request", toRequest, 85)).
		OverrideByName("Trace", door("show", "Show the trace", toTrace, 70)).
		OverrideByName("person_key", hidden)
}
