package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// subscriber shows one subscriber: details, timeline and deliveries.
func subscriber() *dashboard.DashboardBuilder {
	return board("hooktape-subscriber", "Subscriber",
		"The requests, deliveries, UTM tags and custom fields of one subscriber.").
		Time("now-90d", "now").
		WithVariable(box("who", "Find",
			"A part of the name, phone number, e-mail address or user name, or the whole id.")).
		WithVariable(list("subscriber", "Subscriber", "subscribers").
			Description("Subscribers found in the selected time, the last seen first; with an empty search box, the " +
				"last seen ones.")).
		WithVariable(hooktapeURL()).
		WithVariable(newConstant("bothelp_account", "Account in BotHelp", "")).
		WithPanel(figures(about{sql: "subscriber/name", title: "Name", width: 6, height: 4,
			text:  "The last name in the subscriber's requests; the id if there is none.",
			empty: "No subscriber is selected or found"}).
			Unit("string").
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Fields("/.*/"))).
		WithPanel(person()).
		WithPanel(story()).
		WithPanel(rows(about{sql: "subscriber/utm", title: "First and last touch", width: 6, height: 9,
			text: "The UTM tags of the subscriber's first and last flow request with a UTM source, medium or " +
				"campaign, of all time.",
			empty: "No request had UTM tags"}).
			OverrideByName("UTM", width(85)).
			OverrideByRegexp(".*touch", whole)).
		WithPanel(rows(about{sql: "subscriber/fields", title: "Custom fields", width: 8, height: 9,
			text: "The custom fields in the subscriber's flow requests, of all time: the last value, since when, " +
				"and how often it changed.",
			empty: "No custom fields"}).
			OverrideByRegexp("Field|Last value", append([]dashboard.DynamicConfigValue{property("custom.minWidth", 90)},
				whole...)).
			OverrideByName("Since", width(moment)).
			OverrideByName("Changes", width(90))).
		WithPanel(rows(about{sql: "subscriber/changes", title: "Changes", width: 10, height: 9,
			text: "Differences between a flow request of the subscriber and the one before: custom fields, name, " +
				"e-mail and phone. Of all time, the newest first. The first request is no change.",
			empty: "Nothing changed"}).
			OverrideByName("When", width(moment)).
			OverrideByName("Field", append(width(105), whole...)).
			OverrideByRegexp("Before|After",
				append([]dashboard.DynamicConfigValue{property("custom.minWidth", 90), absent}, whole...)).
			OverrideByName("Source", width(125))).
		WithPanel(deliveriesOfPerson())
}

func person() *table.PanelBuilder {
	return rows(about{sql: "subscriber/details", title: "Subscriber details", width: 18, height: 4,
		text: "The last value of each field in the subscriber's requests. First and last seen and the number of " +
			"accepted requests are of all time. Profile is the subscriber's page in the messenger. In BotHelp opens " +
			"the subscriber there, if the dashboard's variable bothelp_account has the account's name, as in " +
			"NAME.bothelp.io.",
		empty: "No subscriber is selected or found"}).
		OverrideByName("Phone", width(140)).
		OverrideByName("Messenger", width(105)).
		OverrideByName("Profile", []dashboard.DynamicConfigValue{page}).
		OverrideByName("In BotHelp", append(width(100), asText("open"), page)).
		OverrideByName("First seen", width(moment)).
		OverrideByName("Last seen", width(moment)).
		OverrideByName("Requests", width(90))
}

// page leads to the page whose address the value is.
var page = property("links", []map[string]any{{"title": "Open", "url": "${__value.raw}", "targetBlank": true}})

func story() *table.PanelBuilder {
	return rows(about{sql: "subscriber/timeline", title: "Timeline", width: 24, height: 12,
		text: "Each accepted request of the subscriber in this time, and each delivery of it at the time of its " +
			"last change. After: the time since the previous row. The table shows the first 2,000 rows.",
		empty: "No requests of this subscriber in this time"}).
		OverrideByName("When", width(moment)).
		OverrideByName("After", append(width(95), property("unit", "s"))).
		OverrideByName("Kind", inWords(kindWords, 160)).
		OverrideByName("Source or endpoint", width(200)).
		OverrideByName("Result", inWords(deliveryWords, 210)).
		OverrideByName("Request", door("open", "Open the request", toRequest, 85)).
		OverrideByName("Trace", door("show", "Show the trace", toTrace, 70))
}

func deliveriesOfPerson() *table.PanelBuilder {
	return rows(about{sql: "subscriber/deliveries", title: "Deliveries", width: 24, height: 9,
		text:  "The deliveries of the subscriber's requests in this time, live or by a replay, and their state.",
		empty: "No deliveries of this subscriber"}).
		OverrideByName("Received", width(moment)).
		OverrideByName("Source", width(200)).
		OverrideByName("Endpoint", width(moment)).
		OverrideByName("State", inWords(deliveryWords, 210)).
		OverrideByName("Attempts", width(85)).
		OverrideByName("Status", statusColumn(75)).
		OverrideByName("Next attempt", width(moment)).
		OverrideByName("Type", width(75)).
		OverrideByName("Request", door("open", "Open the request", toRequest, 85))
}
