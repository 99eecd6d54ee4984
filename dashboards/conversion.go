package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const whatIsALead = "A lead is a subscriber who reached the first goal in this time. Each counts once, however often " +
	"a step was repeated or replayed."

// conversion shows how leads go through a flow, and which advertisements bring those who buy.
func conversion() *dashboard.DashboardBuilder {
	return board("hooktape-conversion", "Conversion and UTM",
		"Where leads come from, how far they get, and how long it takes.").
		WithVariable(list("source", "Source", "flows")).
		WithVariable(list("goals", "Goals, in order", "goals").
			Description("Steps, separated by commas: the first makes a lead, the last is the conversion. Select or " +
				"type them; write a comma within a step as %2C.").
			AllowCustomValue(true)).
		WithVariable(choice("window_days", "Within", [2]string{"7", "7 days"}, [2]string{"1", "1 day"},
			[2]string{"14", "14 days"}, [2]string{"30", "30 days"}, [2]string{"90", "90 days"})).
		WithVariable(choice("attribution", "Attribution", [2]string{"first", "First touch"},
			[2]string{"last", "Last touch"})).
		WithVariable(several("channel", "Messenger", "channel")).
		WithVariable(several("utm_source", "UTM source", "utm_source")).
		WithVariable(several("utm_medium", "medium", "utm_medium")).
		WithVariable(several("utm_campaign", "campaign", "utm_campaign")).
		WithVariable(several("utm_content", "content", "utm_content")).
		WithVariable(several("utm_term", "term", "utm_term")).
		WithPanel(figures(about{sql: "conversion/summary", title: "Leads and conversions", width: 24, height: 4,
			text: whatIsALead +
				" Converted: leads who reached all goals in order, from the first to the last within the selected " +
				"time. The percentages compare with the preceding period of the same length, if hooktape has data " +
				"for all of it.",
			empty: "No leads in this time"}).
			// Not lastNotNull: without leads that would be the rate of the preceding period.
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"last"})).
			ShowPercentChange(true).
			OverrideByName("Leads", colored(neutral)).
			OverrideByName("With a contact", colored(second)).
			OverrideByName("Converted", colored(good)).
			OverrideByName("Conversion rate", append(append(colored(good), percent...), absent))).
		WithPanel(rows(about{sql: "conversion/funnel", title: "Funnel", width: 12, height: 8,
			text: whatIsALead +
				" Each step counts the leads who reached it after the previous step and within the selected time " +
				"after the first. The median time is between the first visits to the previous step and to this one.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("Of all leads", percent).
			OverrideByName("Of previous step", append(percent, absent)).
			OverrideByName("Median time", append(duration, absent))).
		WithPanel(bars(about{sql: "conversion/over_time", title: "Leads and conversion over time", width: 12, height: 8,
			text: "Leads by the day of their first visit to the first goal (by the hour if three days or less are " +
				"selected), and the share of them that has converted since. The last days will still rise: their " +
				"leads have had less time.",
			empty: "No leads in this time"}).
			Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNone)).
			OverrideByName("Leads", colored(neutral)).
			OverrideByName("Converted", append(colored(good),
				property("custom.hideFrom", map[string]any{"viz": true, "legend": true, "tooltip": false}))).
			OverrideByName("Conversion rate", append(append(colored(good), percent...),
				property("custom.drawStyle", "line"), property("custom.lineWidth", 2), property("custom.fillOpacity",
					0),
				property("custom.axisPlacement", "right"), property("custom.axisSoftMax", 0.01), property("min", 0)))).
		WithPanel(rows(about{sql: "conversion/utm", title: "Leads by UTM tags", width: 24, height: 12,
			text: "Leads by the UTM tags of their first tagged visit in this time, or of the last one if the " +
				"attribution above is last touch. A visit is tagged if it has a source, medium or campaign. The " +
				"median time is from the first visit to the first goal to the first visit to the last. Click a value " +
				"to see its leads only.",
			empty: "No leads in this time"}).
			OverrideByName("UTM source", []dashboard.DynamicConfigValue{only("utm_source", "utm_source_key")}).
			OverrideByName("UTM medium", []dashboard.DynamicConfigValue{only("utm_medium", "utm_medium_key")}).
			OverrideByName("UTM campaign", []dashboard.DynamicConfigValue{only("utm_campaign", "utm_campaign_key")}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", barCell(second)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", append(barCell(good), percent...)).
			OverrideByName("Median time", append(duration, absent)).
			OverrideByRegexp(".*_key", hidden)).
		WithPanel(rows(about{sql: "conversion/content", title: "UTM content and term", width: 12, height: 9,
			text:  "Leads by UTM content and UTM term of the visit that the attribution above selects.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", percent).
			OverrideByRegexp(".*_key", hidden)).
		WithPanel(rows(about{sql: "conversion/channels", title: "Messengers", width: 12, height: 9,
			text:  "Leads by the messenger of their first visit.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", barCell(second)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", percent).
			OverrideByRegexp(".*_key", hidden)).
		WithPanel(rows(about{sql: "conversion/cohorts", title: "Weekly cohorts", width: 12, height: 9,
			text: "Leads by the week (from Monday) of their first visit to the first goal, how many have converted " +
				"since, and the median time to conversion. The time range may cut the first and the last week.",
			empty: "No leads in this time"}).
			OverrideByName("Week from", []dashboard.DynamicConfigValue{property("unit", "time:YYYY-MM-DD"),
				property("custom.width", 100)}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", append(barCell(second), width(115)...)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", append(width(125), percent...)).
			OverrideByName("Median time", append(duration, absent))).
		WithPanel(number(about{sql: "conversion/untagged", title: "Without UTM tags", width: 4, height: 9,
			text: "Leads without any of the five UTM tags in their requests in this time: nobody can tell what " +
				"brought them.",
			empty: "No leads in this time"}).
			Orientation(common.VizOrientationHorizontal).
			ColorScheme(byThresholds()).
			Thresholds(steps(neutral)).
			OverrideByName("Of all leads", append(percent, limits(good, from(0.15, doubt), from(0.4, bad))...))).
		WithPanel(rows(about{sql: "conversion/spellings", title: "UTM spelling variants", width: 8, height: 9,
			text: "UTM values that differ only in capital letters, ё and е, spaces or invisible characters. Each " +
				"spelling has its own row in the tables above. Correct it in the link.",
			empty: "Every value has one spelling"}).
			OverrideByName("Tag", width(80)).
			OverrideByName("Normalized", width(110)).
			OverrideByName("Spellings and requests", whole).
			OverrideByName("Requests", width(90)))
}

// only leads from a value to the leads that have it. The key is encoded already: the variable's values are.
func only(variable, key string) dashboard.DynamicConfigValue {
	return link("Show only these leads",
		"/d/hooktape-conversion?${__url_time_range}&${datasource:queryparam}&${source:queryparam}&"+
			"${goals:queryparam}&${window_days:queryparam}&${attribution:queryparam}&${channel:queryparam}&var-"+
			variable+"=${__data.fields."+key+":percentencode}")
}
