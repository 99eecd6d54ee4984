package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// deliveries shows deliveries and replays.
func deliveries() *dashboard.DashboardBuilder {
	return board("hooktape-deliveries", "Deliveries and replays",
		"What was delivered to your endpoints, what failed, and what is being replayed.").
		WithVariable(several("endpoints", "Endpoints", "endpoints")).
		WithVariable(hooktapeURL()).
		WithPanel(figures(about{sql: "deliveries/finished", title: "Finished deliveries", width: 9, height: 4,
			text: "A delivery is one request to one endpoint; each replay creates its own deliveries. This counts " +
				"the deliveries that finished in this time: delivered (the endpoint accepted the request) or failed " +
				"(hooktape will not try again). Success is the share of delivered ones. Open deliveries are not " +
				"counted.",
			empty: "No delivery finished in this time"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Success", append(limits(bad, from(0.95, doubt), from(0.99, good)),
				property("unit", "percentunit"), property("decimals", 1))).
			OverrideByName("Delivered", limits(good)).
			OverrideByName("Failed", limits(good, from(1, bad)))).
		WithPanel(figures(about{sql: "deliveries/open", title: "Open deliveries", width: 6, height: 4,
			text: "Deliveries that are neither delivered nor failed, and the age of the oldest, whatever time range " +
				"is selected. A few seconds are usual. More means that an endpoint does not respond, is paused, or " +
				"receives more than it can process.",
			empty: "No deliveries yet"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Oldest", append(limits(good, from(60, doubt), from(3600, bad)), property("unit", "s"),
				property("decimals", 0)))).
		WithPanel(figures(about{sql: "deliveries/attempts", title: "Attempts", width: 9, height: 4,
			text: "Requests that hooktape sent to the endpoints in this time. Retries: attempts after a failed one. " +
				"The times last until the endpoint responded, or until hooktape stopped waiting: the median, and " +
				"p95, which 95 % of the attempts did not exceed.",
			empty: "No attempts in this time"}).
			OverrideByName("Median", []dashboard.DynamicConfigValue{property("unit", "ms"), property("decimals", 0)}).
			OverrideByName("p95", []dashboard.DynamicConfigValue{property("unit", "ms"), property("decimals", 0)})).
		WithPanel(endpoints()).
		WithPanel(attemptOutcomes()).
		WithPanel(quantiles(about{sql: "deliveries/response_time", title: "Endpoint response time", width: 12,
			height: 8,
			text: "The time until an endpoint responded, or until hooktape stopped waiting: the median, and the " +
				"times that 95 % and 99 % of the attempts did not exceed.",
			empty: "No attempts in this time"})).
		WithPanel(rows(about{sql: "deliveries/responses", title: "Responses by status", width: 12, height: 8,
			text: "Attempts in this time by endpoint and HTTP status. A status from 200 to 299 means that the " +
				"endpoint accepted the request. None: no response.",
			empty: "No attempts in this time"}).
			OverrideByName("Endpoint", width(120)).
			OverrideByName("Status", statusColumn(80)).
			OverrideByName("Attempts", append(barCell(neutral), width(140)...)).
			OverrideByName("Last", width(moment)).
			OverrideByName("Last error", whole)).
		WithPanel(rows(about{sql: "deliveries/open_by_state", title: "Open deliveries by state", width: 12, height: 8,
			text: "Deliveries that are neither delivered nor failed, by endpoint and state, whatever time range is " +
				"selected. Next attempt: the earliest scheduled one; a delivery before its first attempt has none.",
			empty: "No open deliveries"}).
			OverrideByName("Endpoint", width(110)).
			OverrideByName("State", inWords(deliveryWords, 140)).
			OverrideByName("Deliveries", barCell(doubt)).
			OverrideByName("Oldest since", width(moment)).
			OverrideByName("Next attempt", width(moment))).
		WithPanel(failedDeliveries()).
		WithPanel(replays())
}

func endpoints() *table.PanelBuilder {
	return rows(about{sql: "deliveries/endpoints", title: "Endpoints", width: 24, height: 7,
		text: "State: active; failing (too many attempts in a row have failed, so hooktape sends only probes until " +
			"one succeeds); paused by a person. Success, Delivered and Failed count deliveries that finished in this " +
			"time, Attempts those in this time. Open counts the deliveries that are open now. Replay prepares a " +
			"replay of all failed deliveries of the endpoint, but does not start it.",
		empty: "No endpoint is configured"}).
		OverrideByName("Endpoint", width(moment)).
		OverrideByName("State", lamp(endpointWords, 130)).
		OverrideByName("Success", []dashboard.DynamicConfigValue{property("unit", "percentunit"),
			property("decimals", 1), property("min", 0), property("max", 1), property("color",
				map[string]any{"mode": "thresholds"}), limits(bad, from(0.95, doubt), from(0.99, good))[0],
			property("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic",
				"valueDisplayMode": "text"}), property("custom.width", 200)}).
		OverrideByName("Delivered", width(100)).
		OverrideByName("Failed", append(limits("text", from(1, bad)),
			property("custom.cellOptions", map[string]any{"type": "color-text"}), property("color",
				map[string]any{"mode": "thresholds"}), property("custom.width", 90))).
		OverrideByName("Open", append(limits("text", from(1, doubt)),
			property("custom.cellOptions", map[string]any{"type": "color-text"}), property("color",
				map[string]any{"mode": "thresholds"}), property("custom.width", 110))).
		OverrideByName("Oldest", span("s", 115)).
		OverrideByName("Attempts", width(95)).
		OverrideByName("p95", span("ms", 130)).
		OverrideByName("Last error", whole).
		OverrideByName("Replay", door("replay", "Prepare a replay of the failed deliveries", toNewReplay, 105))
}

// attemptOutcomes has shades of red for the kinds of failures.
func attemptOutcomes() *timeseries.PanelBuilder {
	return bars(about{sql: "deliveries/outcomes", title: "Attempts by outcome", width: 12, height: 8,
		text: "Requests that hooktape sent to the endpoints over time. Delivered: the endpoint answered with a " +
			"status from 200 to 299. Other: the connection broke, the address is not allowed, the request could not " +
			"be built, or hooktape was stopped before it could record the response.",
		empty: "No attempts in this time"}).
		MaxDataPoints(90).
		OverrideByName("delivered", colored(good)).
		OverrideByName("bad status", colored(bad)).
		OverrideByName("timeout", colored("dark-red")).
		OverrideByName("no connection", colored("light-red")).
		OverrideByName("other", colored(quiet))
}

// quantiles is a panel of the median, p95, p99 and maximum, in milliseconds.
func quantiles(a about) *timeseries.PanelBuilder {
	return lines(a).
		Unit("ms").
		MaxDataPoints(150).
		ShowPoints(common.VisibilityModeAuto).
		OverrideByName("Median", colored(neutral)).
		OverrideByName("p95", colored(second)).
		OverrideByName("p99", colored(doubt)).
		OverrideByName("Maximum", colored(doubt))
}

// statusColumn colours HTTP statuses by their class.
func statusColumn(pixels int) []dashboard.DynamicConfigValue {
	class := func(pattern, color string) map[string]any {
		return map[string]any{"type": "regex", "options": map[string]any{"pattern": pattern,
			"result": map[string]any{"color": color}}}
	}
	return append(width(pixels), property("custom.cellOptions", map[string]any{"type": "color-text"}),
		property("mappings", []map[string]any{class("/^2/", good), class("/^(1|3)/", doubt),
			class("/^(4|5|none)/", bad)}))
}

func failedDeliveries() *table.PanelBuilder {
	return rows(about{sql: "deliveries/failed", title: "Failed deliveries", width: 24, height: 10,
		text: "The newest 200 deliveries that failed in this time, with their subscribers. Request opens the " +
			"request in the console. Replay prepares a replay of all failed deliveries of the endpoint, but does not " +
			"start it.",
		empty: "No failed deliveries"}).
		OverrideByName("Failed", width(moment)).
		OverrideByName("Endpoint", width(120)).
		OverrideByName("Error", whole).
		OverrideByName("Attempts", width(85)).
		OverrideByName("Source", width(100)).
		OverrideByName("Step", width(110)).
		OverrideByName("Name", []dashboard.DynamicConfigValue{property("custom.width", 190),
			link("Show this subscriber", toPerson)}).
		OverrideByName("Type", width(75)).
		OverrideByName("Request", door("open", "Open the request", toRequest, 85)).
		OverrideByName("Replay", door("replay", "Prepare a replay of the failed deliveries", toNewReplay, 105)).
		OverrideByName("person_key", hidden)
}

func replays() *table.PanelBuilder {
	return rows(about{sql: "deliveries/replays", title: "Replays", width: 24, height: 7,
		text: "Replays that were created in this time or are still open. Delivered is the share of the replay's " +
			"requests that the endpoint accepted. Open: neither delivered nor failed. Time left: at the current rate.",
		empty: "No replays in this time"}).
		OverrideByName("Created", width(moment)).
		OverrideByName("By", width(100)).
		OverrideByName("Endpoint", width(120)).
		OverrideByName("State", lamp(replayWords, 190)).
		OverrideByName("Delivered", append(barCell(good), property("unit", "percentunit"), property("decimals", 1),
			property("max", 1), property("custom.width", 150))).
		OverrideByName("Requests", width(85)).
		OverrideByName("Failed", append(limits("text", from(1, bad)),
			property("custom.cellOptions", map[string]any{"type": "color-text"}), property("color",
				map[string]any{"mode": "thresholds"}), property("custom.width", 90))).
		OverrideByName("Open", width(75)).
		OverrideByName("Per second", append(width(100), property("decimals", 1))).
		OverrideByName("Time left", span("s", 95)).
		OverrideByName("Replay", door("open", "Open the replay", toReplay, 75))
}
