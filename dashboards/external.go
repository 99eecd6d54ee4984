package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// external shows the external requests of bots, which hooktape forwards while the bot waits.
func external() *dashboard.DashboardBuilder {
	return board("hooktape-external", "External requests",
		"The requests for whose answer a bot waits: how fast the backend answered, when the bot got the fallback, "+
			"and which keys were missing.").
		Time("now-24h", "now").
		WithVariable(several("sources", "Sources", "forwards")).
		WithVariable(hooktapeURL()).
		WithPanel(figures(about{sql: "external/requests", title: "External requests", width: 14, height: 4,
			text: "Accepted requests of bots to sources with forward in this time. Answered by the backend: the bot " +
				"got the backend's whole answer, whatever its status. Fallbacks: the bot got the configured " +
				"fallback instead. Broken off: the answer broke off, or hooktape was stopped before it recorded what " +
				"the bot got. Missing keys: answers that lack a key of expect; a missing key leaves the subscriber's " +
				"old " +
				"value.",
			empty: "No external requests in this time"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Per minute", []dashboard.DynamicConfigValue{property("decimals", 1)}).
			OverrideByName("Answered by the backend",
				append(limits(bad, from(0.95, doubt), from(0.99, good)), property("unit", "percentunit"),
					property("decimals", 1))).
			OverrideByName("Fallbacks", limits(good, from(1, doubt))).
			OverrideByName("Broken off", limits(good, from(1, doubt))).
			OverrideByName("Missing keys", limits(good, from(1, doubt)))).
		WithPanel(figures(about{sql: "external/response_time", title: "Response time", width: 10, height: 4,
			text: "How long bots waited for the answer, from the end of the request to the end of the answer: the " +
				"median, and the times that 95 % and 99 % of the requests did not exceed. In hooktape: the share of " +
				"this time that hooktape took; the rest is the backend's.",
			empty: "No external requests in this time"}).
			Unit("ms").Decimals(0).
			OverrideByName("In hooktape", percent)).
		WithPanel(externalAnswers()).
		WithPanel(quantiles(about{sql: "external/response_time_over_time", title: "Response time over time", width: 12,
			height: 8,
			text: "How long bots waited for the answer: the median, and the times that 95 % and 99 % of the " +
				"requests did not exceed.",
			empty: "No external requests in this time"})).
		WithPanel(externalSteps()).
		WithPanel(rows(about{sql: "external/fallbacks", title: "Fallbacks by reason", width: 14, height: 8,
			text: "Requests in this time to which hooktape answered with the fallback, by source and reason. " +
				"Deadline: the backend did not answer in time. Endpoint failing: too many requests in a row had " +
				"failed, so nothing was sent. Too many at once: more requests than max_in_flight were waiting. " +
				"Request opens the last one in the console.",
			empty: "No fallbacks"}).
			OverrideByName("Source", width(100)).
			OverrideByName("Endpoint", width(100)).
			OverrideByName("Reason", inWords(fallbackWords, 140)).
			OverrideByName("Fallbacks", append(barCell(doubt), width(110)...)).
			OverrideByName("Last", width(moment)).
			OverrideByName("Last error", whole).
			OverrideByName("Request", door("open", "Open the request", toRequest, 85))).
		WithPanel(rows(about{sql: "external/missing", title: "Missing keys", width: 10, height: 8,
			text: "Keys that the source expects (expect) and the answer lacked, by source and step. BotHelp leaves " +
				"the subscriber's old value for such a key. Request opens the last one in the console.",
			empty: "No keys are missing"}).
			OverrideByName("Source", width(90)).
			OverrideByName("Step", width(90)).
			OverrideByName("Answers", append(barCell(doubt), width(90)...)).
			OverrideByName("Last", width(moment)).
			OverrideByName("Request", door("open", "Open the request", toRequest, 85))).
		WithPanel(rows(about{sql: "external/responses", title: "Responses by status", width: 12, height: 8,
			text: "External requests in this time by endpoint and the backend's HTTP status, which the bot got too " +
				"unless it got the fallback. None: no response.",
			empty: "No external requests in this time"}).
			OverrideByName("Endpoint", width(120)).
			OverrideByName("Status", statusColumn(80)).
			OverrideByName("Requests", append(barCell(neutral), width(140)...)).
			OverrideByName("p95 of bytes", append(width(110), property("unit", "bytes"))).
			OverrideByName("Last", width(moment)).
			OverrideByName("Last error", whole)).
		WithPanel(lines(about{sql: "external/share", title: "Share of time in hooktape", width: 12, height: 8,
			text: "The share of the bots' waiting time that hooktape took: writing the request to disk, and sending " +
				"on what the backend answered.",
			empty: "No external requests in this time"}).
			Unit("percentunit").
			MaxDataPoints(150).
			OverrideByName("In hooktape", colored(neutral)))
}

// externalAnswers has shades of red for the reasons of fallbacks.
func externalAnswers() *timeseries.PanelBuilder {
	return bars(about{sql: "external/answers", title: "Requests by answer", width: 12, height: 8,
		text: "External requests over time by what the bot got: the backend's answer, the start of one that broke " +
			"off, or the fallback and why. Unknown: hooktape was stopped before it could record the answer.",
		empty: "No external requests in this time"}).
		MaxDataPoints(90).
		OverrideByName("backend's answer", colored(good)).
		OverrideByName("broken off", colored("purple")).
		OverrideByName("fallback: deadline", colored("dark-red")).
		OverrideByName("fallback: no connection", colored("light-red")).
		OverrideByName("fallback: endpoint failing", colored(bad)).
		OverrideByName("fallback: too many at once", colored(doubt)).
		OverrideByName("fallback: other", colored("super-light-red")).
		OverrideByName("unknown", colored(quiet))
}

func externalSteps() *table.PanelBuilder {
	warn := func(limit float64, pixels int) []dashboard.DynamicConfigValue {
		return append(limits("text", from(limit, doubt)),
			property("custom.cellOptions", map[string]any{"type": "color-text"}), property("color",
				map[string]any{"mode": "thresholds"}), property("custom.width", pixels))
	}
	return rows(about{sql: "external/steps", title: "Sources and steps", width: 24, height: 8,
		text: "External requests in this time by source and step: how long bots waited (the median, and what 95 % " +
			"and 99 % did not exceed), how many got the fallback, an answer that broke off or one with missing keys, " +
			"and the share of the time that hooktape took.",
		empty: "No external requests in this time"}).
		OverrideByName("Requests", barCell(neutral)).
		OverrideByName("Median", span("ms", 110)).
		OverrideByName("p95", span("ms", 110)).
		OverrideByName("p99", span("ms", 110)).
		OverrideByName("Fallbacks", warn(1, 110)).
		OverrideByName("Fallback share", append(width(130), percent...)).
		OverrideByName("Broken off", warn(1, 110)).
		OverrideByName("Missing keys", warn(1, 120)).
		OverrideByName("In hooktape", append(width(120), percent...))
}
