package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// subscriber shows one person: what is known, what happened, and what became of it.
func subscriber() *dashboard.DashboardBuilder {
	return board("hooktape-subscriber", "One subscriber", "Everything of one person: requests, deliveries, UTM tags, custom fields.").
		Time("now-90d", "now").
		WithVariable(box("who", "Find", "A part of the name, phone, e-mail or user name, or the whole id.")).
		WithVariable(list("subscriber", "Subscriber", "subscribers").
			Description("Those found in the chosen time, the last seen first; with nothing to find, those who were seen last.")).
		WithVariable(hooktapeURL()).
		WithVariable(newConstant("bothelp_account", "Account in BotHelp", "")).
		WithPanel(figures(about{sql: "subscriber/name", title: "Who it is", width: 6, height: 4,
			text:  "The last name that a request of the person has brought; the id, where none has.",
			empty: "Nobody is chosen, or nobody was found"}).
			Unit("string").
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Fields("/.*/"))).
		WithPanel(person()).
		WithPanel(story()).
		WithPanel(rows(about{sql: "subscriber/utm", title: "UTM tags, first and last", width: 6, height: 9,
			text:  "The tags of the first and of the last flow request of the person, of all time, that has a UTM source, medium or campaign.",
			empty: "No request had UTM tags"}).
			OverrideByName("UTM", width(85)).
			OverrideByRegexp(".*touch", whole)).
		WithPanel(rows(about{sql: "subscriber/fields", title: "Custom fields", width: 7, height: 9,
			text:  "The custom fields that flow requests of the person have brought, of all time: the last value, since when it is that, and how often it changed.",
			empty: "No custom fields"}).
			OverrideByRegexp("Field|Now", append([]dashboard.DynamicConfigValue{property("custom.minWidth", 90)}, whole...)).
			OverrideByName("Since", width(moment)).
			OverrideByName("Changes", width(80))).
		WithPanel(rows(about{sql: "subscriber/changes", title: "What changed, and when", width: 11, height: 9,
			text:  "What a flow request of the person brought that differs from the one before: custom fields, name, e-mail and phone; of all time, the newest first. What the very first request brought is no change.",
			empty: "Nothing changed"}).
			OverrideByName("When", width(moment)).
			OverrideByName("Field", append(width(105), whole...)).
			OverrideByRegexp("Before|After", append([]dashboard.DynamicConfigValue{property("custom.minWidth", 90), absent}, whole...)).
			OverrideByName("Seen at", width(125))).
		WithPanel(deliveriesOfPerson())
}

func person() *table.PanelBuilder {
	return rows(about{sql: "subscriber/person", title: "What is known", width: 18, height: 4,
		text:  "Of each, the last value that a request of the person has brought. First and last seen and the number of accepted requests are of all time. Profile is the person's page in the messenger. In BotHelp leads to the person's page there, if the dashboard's variable bothelp_account has the account's name, as in NAME.bothelp.io.",
		empty: "Nobody is chosen, or nobody was found"}).
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
	return rows(about{sql: "subscriber/story", title: "What happened, in order", width: 24, height: 12,
		text:  "Each accepted request of the person in this time when it came, and each delivery of it when it ended; one that has not ended stands at its last change. After: since the line before. Only the first 2,000 lines are shown.",
		empty: "No requests of this person in this time"}).
		OverrideByName("When", width(moment)).
		OverrideByName("After", append(width(95), property("unit", "s"))).
		OverrideByName("What", inWords(kindWords, 160)).
		OverrideByName("Where", width(200)).
		OverrideByName("Result", inWords(deliveryWords, 210)).
		OverrideByName("Request", door("open", "The request as it came", toRequest, 85)).
		OverrideByName("Trace", door("show", "The way through hooktape", toTrace, 70))
}

func deliveriesOfPerson() *table.PanelBuilder {
	return rows(about{sql: "subscriber/deliveries", title: "Deliveries", width: 24, height: 9,
		text:  "Each request of the person in this time on its way to each endpoint, live or in a replay, and where it stands.",
		empty: "Nothing of this person was to be delivered"}).
		OverrideByName("Received", width(moment)).
		OverrideByName("From", width(200)).
		OverrideByName("To", width(moment)).
		OverrideByName("State", inWords(deliveryWords, 210)).
		OverrideByName("Attempts", width(85)).
		OverrideByName("Status", statusColumn(75)).
		OverrideByName("Next attempt", width(moment)).
		OverrideByName("Way", width(75)).
		OverrideByName("Request", door("open", "The request as it came", toRequest, 85))
}
