package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// deliveries shows what reached the endpoints, what did not, and what is sent again.
func deliveries() *dashboard.DashboardBuilder {
	return board("hooktape-deliveries", "Deliveries and replays", "What was passed on to your endpoints, what was not, and what is being sent again.").
		WithVariable(several("endpoints", "Endpoints", "endpoints")).
		WithVariable(hooktapeURL()).
		WithPanel(figures(about{sql: "deliveries/settled", title: "Deliveries that came to an end", width: 9, height: 4,
			text:  "A delivery is one request on its way to one endpoint; each replay makes deliveries of its own. Counted are those that came to their end in this time: the endpoint took them, or hooktape gave them up. Success is the share that the endpoints took. What still waits is not counted.",
			empty: "No delivery came to an end in this time"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("Success", append(limits(bad, from(0.95, doubt), from(0.99, good)), property("unit", "percentunit"), property("decimals", 1))).
			OverrideByName("Delivered", limits(good)).
			OverrideByName("Given up", limits(good, from(1, bad)))).
		WithPanel(figures(about{sql: "deliveries/waiting", title: "Waiting now", width: 6, height: 4,
			text:  "Deliveries that are not at their end, and for how long the oldest of them has waited, whatever time is chosen above. A few seconds are usual; more means that an endpoint does not answer, is paused, or is sent more than it takes.",
			empty: "No deliveries yet"}).
			ColorScheme(byThresholds()).
			Thresholds(steps("text")).
			OverrideByName("The oldest for", append(limits(good, from(60, doubt), from(3600, bad)), property("unit", "s"), property("decimals", 0)))).
		WithPanel(figures(about{sql: "deliveries/tries", title: "Attempts", width: 9, height: 4,
			text:  "Requests that hooktape sent to the endpoints in this time. Not the first: sent again after a failure. The times are those until the endpoint answered, or until hooktape stopped waiting: half of the attempts took no longer than the first, 95 of 100 no longer than the second.",
			empty: "Nothing was sent in this time"}).
			OverrideByName("Half within", []dashboard.DynamicConfigValue{property("unit", "ms"), property("decimals", 0)}).
			OverrideByName("95 of 100 within", []dashboard.DynamicConfigValue{property("unit", "ms"), property("decimals", 0)})).
		WithPanel(endpoints()).
		WithPanel(attemptOutcomes()).
		WithPanel(quantiles(about{sql: "deliveries/answer_times", title: "How fast endpoints answer", width: 12, height: 8,
			text:  "The time until an endpoint answered, or until hooktape stopped waiting: half, 95 and 99 of 100 attempts took no longer.",
			empty: "Nothing was sent in this time"})).
		WithPanel(rows(about{sql: "deliveries/answers", title: "What endpoints answered", width: 12, height: 8,
			text:  "Attempts of this time by endpoint and HTTP status of the answer. Those from 200 to 299 mean that the endpoint took the request. None: no answer came.",
			empty: "Nothing was sent in this time"}).
			OverrideByName("Endpoint", width(120)).
			OverrideByName("Status", statusColumn(80)).
			OverrideByName("Attempts", append(barCell(neutral), width(140)...)).
			OverrideByName("Last", width(moment)).
			OverrideByName("Last error", whole)).
		WithPanel(rows(about{sql: "deliveries/backlog", title: "What waits, and for what", width: 12, height: 8,
			text:  "Deliveries that are not at their end, by endpoint and state, whatever time is chosen above. Next attempt: the earliest that is planned; what waits for its first attempt has none.",
			empty: "Nothing waits"}).
			OverrideByName("Endpoint", width(110)).
			OverrideByName("State", inWords(deliveryWords, 140)).
			OverrideByName("Deliveries", barCell(doubt)).
			OverrideByName("Oldest since", width(moment)).
			OverrideByName("Next attempt", width(moment))).
		WithPanel(lostDeliveries()).
		WithPanel(replays())
}

func endpoints() *table.PanelBuilder {
	return rows(about{sql: "deliveries/endpoints", title: "Endpoints", width: 24, height: 7,
		text:  "State: works; does not work (too many attempts in a row have failed, it is only probed until one succeeds); paused by a person. Success, delivered and given up count deliveries that came to their end in this time, attempts those of this time; what waits is as of now. Send again leads to a replay of all that was given up at the endpoint, prepared but not started.",
		empty: "No endpoint is configured"}).
		OverrideByName("Endpoint", width(moment)).
		OverrideByName("State", lamp(endpointWords, 130)).
		OverrideByName("Success", []dashboard.DynamicConfigValue{property("unit", "percentunit"), property("decimals", 1), property("min", 0), property("max", 1),
			property("color", map[string]any{"mode": "thresholds"}), limits(bad, from(0.95, doubt), from(0.99, good))[0],
			property("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}), property("custom.width", 200)}).
		OverrideByName("Delivered", width(100)).
		OverrideByName("Given up", append(limits("text", from(1, bad)), property("custom.cellOptions", map[string]any{"type": "color-text"}),
			property("color", map[string]any{"mode": "thresholds"}), property("custom.width", 90))).
		OverrideByName("Waiting now", append(limits("text", from(1, doubt)), property("custom.cellOptions", map[string]any{"type": "color-text"}),
			property("color", map[string]any{"mode": "thresholds"}), property("custom.width", 110))).
		OverrideByName("The oldest for", span("s", 115)).
		OverrideByName("Attempts", width(95)).
		OverrideByName("95 of 100 within", span("ms", 130)).
		OverrideByName("Last trouble", whole).
		OverrideByName("Replay", door("send again", "Prepare a replay of what was given up", toNewReplay, 105))
}

// attemptOutcomes has the ways of failing in reds, for each is a failure.
func attemptOutcomes() *timeseries.PanelBuilder {
	return bars(about{sql: "deliveries/outcomes", title: "Attempts and how they ended", width: 12, height: 8,
		text:  "Requests that hooktape sent to the endpoints over time. Delivered: the endpoint answered that it took it (HTTP 200 to 299). Other trouble: the connection broke, the address is not allowed, no request could be made, or hooktape was stopped before it could note the answer.",
		empty: "Nothing was sent in this time"}).
		MaxDataPoints(90).
		OverrideByName("delivered", colored(good)).
		OverrideByName("answered with an error", colored(bad)).
		OverrideByName("no answer in time", colored("dark-red")).
		OverrideByName("no connection", colored("light-red")).
		OverrideByName("other trouble", colored(quiet))
}

// quantiles are lines of half, 95 and 99 of 100, in milliseconds.
func quantiles(a about) *timeseries.PanelBuilder {
	return lines(a).
		Unit("ms").
		MaxDataPoints(150).
		ShowPoints(common.VisibilityModeAuto).
		OverrideByName("Half within", colored(neutral)).
		OverrideByName("95 of 100 within", colored(second)).
		OverrideByName("99 of 100 within", colored(doubt)).
		OverrideByName("Longest", colored(doubt))
}

// statusColumn colours HTTP statuses by their class.
func statusColumn(pixels int) []dashboard.DynamicConfigValue {
	class := func(pattern, color string) map[string]any {
		return map[string]any{"type": "regex", "options": map[string]any{"pattern": pattern, "result": map[string]any{"color": color}}}
	}
	return append(width(pixels), property("custom.cellOptions", map[string]any{"type": "color-text"}),
		property("mappings", []map[string]any{class("/^2/", good), class("/^(1|3)/", doubt), class("/^(4|5|none)/", bad)}))
}

func lostDeliveries() *table.PanelBuilder {
	return rows(about{sql: "deliveries/failed", title: "Deliveries that were given up", width: 24, height: 10,
		text:  "The newest 200 deliveries that were given up in this time, and whose requests they are. Request leads to the request as it came; send again to a replay of all that was given up at the endpoint, prepared but not started.",
		empty: "Nothing was given up"}).
		OverrideByName("Given up", width(moment)).
		OverrideByName("Endpoint", width(120)).
		OverrideByName("Attempts", width(85)).
		OverrideByName("Source", width(100)).
		OverrideByName("Step", width(110)).
		OverrideByName("Name", []dashboard.DynamicConfigValue{property("custom.width", 190), link("Everything of this person", toPerson)}).
		OverrideByName("Way", width(75)).
		OverrideByName("Request", door("open", "The request as it came", toRequest, 85)).
		OverrideByName("Replay", door("send again", "Prepare a replay of what was given up here", toNewReplay, 105)).
		OverrideByName("person_key", hidden)
}

func replays() *table.PanelBuilder {
	return rows(about{sql: "deliveries/replays", title: "Replays", width: 24, height: 7,
		text:  "Replays that were made in this time, and those that are not at their end. Delivered is the share of the replay's requests that the endpoint took. Open: neither taken nor given up yet. Time left: at the speed of late.",
		empty: "No replays in this time"}).
		OverrideByName("Made", width(moment)).
		OverrideByName("By", width(110)).
		OverrideByName("Endpoint", width(moment)).
		OverrideByName("State", lamp(replayWords, 130)).
		OverrideByName("Delivered", append(barCell(good), property("unit", "percentunit"), property("decimals", 1), property("max", 1), property("custom.width", 260))).
		OverrideByName("Requests", width(90)).
		OverrideByName("Given up", append(limits("text", from(1, bad)), property("custom.cellOptions", map[string]any{"type": "color-text"}),
			property("color", map[string]any{"mode": "thresholds"}), property("custom.width", 90))).
		OverrideByName("Open", width(90)).
		OverrideByName("A second", append(width(85), property("decimals", 1))).
		OverrideByName("Time left", span("s", 95)).
		OverrideByName("Replay", door("open", "The replay", toReplay, 75))
}
