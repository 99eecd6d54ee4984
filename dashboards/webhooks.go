package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// webhooks shows what BotHelp has sent, and whether something is missing.
func webhooks() *dashboard.DashboardBuilder {
	return board("hooktape-webhooks", "Webhooks", "What BotHelp has sent: how much, whether it was accepted and could be read, and which source has gone quiet.").
		WithVariable(several("sources", "Sources", "source")).
		WithVariable(hooktapeURL()).
		WithPanel(figures(about{sql: "webhooks/summary", title: "Requests", width: 12, height: 4,
			text:  "All requests that came to the webhook URLs in this time, BotHelp's repetitions included. Accepted: the URL, its token and, where the source asks for one, the signature were right; only these are counted elsewhere, and delivered. Partly unreadable: accepted, but something could not be read, such as a body that ends too early; they are stored and delivered as they came.",
			empty: "No requests in this time"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Accepted", append(limits(bad, from(0.95, doubt), from(0.99, good)), property("unit", "percentunit"), property("decimals", 2))).
			OverrideByName("Rejected", limits(good, from(1, bad))).
			OverrideByName("Partly unreadable", limits(good, from(1, doubt)))).
		WithPanel(figures(about{sql: "webhooks/since_last", title: "Since the last request", width: 4, height: 4,
			text:  "From the last accepted request of the chosen sources until now, whatever time is chosen above.",
			empty: "No accepted request yet"}).
			Unit("s").Decimals(0)).
		WithPanel(figures(about{sql: "webhooks/storing", title: "From receiving to storing", width: 8, height: 4,
			text:  "How long it takes until a request of this time is stored and seen in the dashboards. Of 100 requests, 95 take no longer than the first number. A request is safe on disk long before that. Good is less than 5 seconds, bad a minute or more.",
			empty: "No requests in this time"}).
			Unit("ms").
			Thresholds(steps("text", from(0, good), from(5_000, doubt), from(60_000, bad))).ColorScheme(byThresholds())).
		WithPanel(sourceHabits()).
		WithPanel(notRight()).
		WithPanel(numbered(stacked(about{sql: "webhooks/by_source", title: "Requests by source", width: 12, height: 8,
			text:  "All requests over time by the source that their URL names, rejected ones and BotHelp's repetitions included.",
			empty: "No requests in this time"}))).
		WithPanel(stacked(about{sql: "webhooks/by_verdict", title: "Rejected and partly unreadable requests", width: 12, height: 8,
			text:  "Requests over time that were rejected, by reason, and accepted ones of which something could not be read.",
			empty: "Everything was accepted and read"}).
			OverrideByName("accepted, partly unreadable", colored(doubt)).
			OverrideByName("wrong token", colored("dark-red")).
			OverrideByName("no such source", colored("light-red")).
			OverrideByName("no POST", colored("semi-dark-red")).
			OverrideByName("broken off", colored("super-light-red")).
			OverrideByName("not HTTP", colored(neutral))).
		WithPanel(hours(about{sql: "webhooks/hours", title: "When requests come, by hour of the week", width: 24, height: 10,
			text:  "Requests an hour, on the average of this time, by weekday and hour in your time zone (in UTC, where Grafana is older than 10).",
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

func sourceHabits() *table.PanelBuilder {
	return rows(about{sql: "webhooks/habits", title: "Has a source gone quiet?", width: 14, height: 7,
		text:  "How long each source has been silent, beside the pauses between its accepted requests in the last 14 days, whatever time is chosen above. Of 100 pauses, 99 were no longer than the usual one. Quieter than usual: silent for longer than that. Silent: for longer than ever in the 14 days. With fewer than 50 requests in them it is too early to tell. A source is listed when it had a request in the last 90 days.",
		empty: "No accepted request in the last 90 days"}).
		OverrideByName("State", lamp(habitWords, 150)).
		OverrideByName("Silent for", span("s", 95)).
		OverrideByName("Usual pause", span("s", 105)).
		OverrideByName("Longest pause", span("s", 120)).
		OverrideByName("Last request", width(moment)).
		OverrideByName("In 14 days", width(95))
}

func notRight() *table.PanelBuilder {
	return rows(about{sql: "webhooks/not_right", title: "What was not right", width: 10, height: 7,
		text:  "Requests of this time that were rejected, and accepted ones of which something could not be read, by reason and source.",
		empty: "Everything was accepted and read"}).
		OverrideByName("Result", inWords(faultWords, 140)).
		OverrideByName("Source", width(80)).
		OverrideByName("Unreadable", whole).
		OverrideByName("Requests", append(barCell(doubt), width(110)...)).
		OverrideByName("Last", width(moment))
}

func latestRequests() *table.PanelBuilder {
	return rows(about{sql: "webhooks/latest", title: "The latest requests", width: 24, height: 12,
		text:  "The newest 200 requests of this time, rejected ones included. A name leads to everything of that person, Request to the request as it came, Trace to the way that it took through hooktape.",
		empty: "No requests in this time"}).
		OverrideByName("Received", width(moment)).
		OverrideByName("Source", width(110)).
		OverrideByName("Step", width(120)).
		OverrideByName("Kind", inWords(kindWords, 160)).
		OverrideByName("Result", inWords(verdictWords, 130)).
		OverrideByName("Name", []dashboard.DynamicConfigValue{link("Everything of this person", toPerson)}).
		OverrideByName("Messenger", width(110)).
		OverrideByName("Request", door("open", "The request as it came", toRequest, 85)).
		OverrideByName("Trace", door("show", "The way through hooktape", toTrace, 70)).
		OverrideByName("person_key", hidden)
}
