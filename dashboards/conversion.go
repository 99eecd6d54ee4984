package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const whatIsALead = "A lead is a subscriber who came to the first goal in this time; each counts once, however often a step came, was repeated or replayed."

// conversion shows how leads go through a flow, and which advertisements bring those who buy.
func conversion() *dashboard.DashboardBuilder {
	return board("hooktape-conversion", "Conversion and UTM", "Who came, from where, how far they went, and what it took.").
		WithVariable(list("source", "Source", "flows")).
		WithVariable(list("goals", "Goals, in order", "goals").
			Description("Steps with commas: the first makes a lead, the last is the conversion. Choose, or type your own; a comma within a step is written %2C.").
			AllowCustomValue(true)).
		WithVariable(choice("window_days", "Within", [2]string{"7", "7 days"}, [2]string{"1", "1 day"}, [2]string{"14", "14 days"}, [2]string{"30", "30 days"}, [2]string{"90", "90 days"})).
		WithVariable(choice("attribution", "Attribution", [2]string{"first", "First touch"}, [2]string{"last", "Last touch"})).
		WithVariable(several("channel", "Messenger", "channel")).
		WithVariable(several("utm_source", "UTM source", "utm_source")).
		WithVariable(several("utm_medium", "medium", "utm_medium")).
		WithVariable(several("utm_campaign", "campaign", "utm_campaign")).
		WithVariable(several("utm_content", "content", "utm_content")).
		WithVariable(several("utm_term", "term", "utm_term")).
		WithPanel(number(about{sql: "conversion/summary", title: "Leads and conversions", width: 24, height: 4,
			text:  whatIsALead + " Converted are those who went through all goals in their order, within the chosen time from the first to the last. The percentages beside them compare with the period before, as long as this one, if hooktape was there all through it.",
			empty: "No leads in this time"}).
			// Not the last number there is: where nobody came, that would be the rate of the period before.
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"last"})).
			ShowPercentChange(true).
			OverrideByName("Leads", colored(neutral)).
			OverrideByName("With a contact", colored(second)).
			OverrideByName("Converted", colored(good)).
			OverrideByName("Conversion rate", append(append(colored(good), percent...), absent))).
		WithPanel(rows(about{sql: "conversion/funnel", title: "Funnel", width: 12, height: 8,
			text:  whatIsALead + " Each step counts leads who came to it after the step before, and within the chosen time after the first. The median time is that between the first visits to the step before and to this one.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("Of all leads", percent).
			OverrideByName("Of step before", append(percent, absent)).
			OverrideByName("Median time", append(duration, absent))).
		WithPanel(bars(about{sql: "conversion/over_time", title: "Leads and their conversion over time", width: 12, height: 8,
			text:  "Leads by the day of their first visit to the first goal (by the hour, when three days or less are shown), and which share of them converted since. The last days are still going up: their leads have had less time.",
			empty: "No leads in this time"}).
			Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNone)).
			OverrideByName("Leads", colored(neutral)).
			OverrideByName("Converted", append(colored(good), property("custom.hideFrom", map[string]any{"viz": true, "legend": true, "tooltip": false}))).
			OverrideByName("Conversion rate", append(append(colored(good), percent...),
				property("custom.drawStyle", "line"), property("custom.lineWidth", 2), property("custom.fillOpacity", 0),
				property("custom.axisPlacement", "right"), property("custom.axisSoftMax", 0.01), property("min", 0)))).
		WithPanel(rows(about{sql: "conversion/utm", title: "Where leads come from", width: 24, height: 12,
			text:  "Leads by the UTM tags of their first tagged visit in this time, or of the last one, as the attribution above says. A visit is tagged when it has a source, medium or campaign. The median time is that from the first visit to the first goal to the first visit to the last. Click a value to look at its leads alone.",
			empty: "No leads in this time"}).
			OverrideByName("UTM source", []dashboard.DynamicConfigValue{only("utm_source", "source_key")}).
			OverrideByName("UTM medium", []dashboard.DynamicConfigValue{only("utm_medium", "medium_key")}).
			OverrideByName("UTM campaign", []dashboard.DynamicConfigValue{only("utm_campaign", "campaign_key")}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", barCell(second)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", append(barCell(good), percent...)).
			OverrideByName("Median time", append(duration, absent)).
			OverrideByRegexp(".*_key", hidden)).
		WithPanel(rows(about{sql: "conversion/content", title: "Content and term", width: 12, height: 9,
			text:  "Leads by UTM content and UTM term of the same visit that the attribution above names.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", percent)).
		WithPanel(rows(about{sql: "conversion/channels", title: "Messengers", width: 12, height: 9,
			text:  "Leads by the messenger of their first visit.",
			empty: "No leads in this time"}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", barCell(second)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", percent)).
		WithPanel(rows(about{sql: "conversion/cohorts", title: "Cohorts by week", width: 12, height: 9,
			text:  "Leads by the week, from Monday on, of their first visit to the first goal, how many of them converted since, and the median time that took. The first and the last week may be cut by the range of time.",
			empty: "No leads in this time"}).
			OverrideByName("Week from", []dashboard.DynamicConfigValue{property("unit", "time:YYYY-MM-DD")}).
			OverrideByName("Leads", barCell(neutral)).
			OverrideByName("With a contact", barCell(second)).
			OverrideByName("Converted", barCell(good)).
			OverrideByName("Conversion rate", percent).
			OverrideByName("Median time", append(duration, absent))).
		WithPanel(number(about{sql: "conversion/untagged", title: "Without UTM tags", width: 4, height: 9,
			text:  "Leads none of whose requests in this time had any of the five UTM tags: nobody can tell what brought them.",
			empty: "No leads in this time"}).
			Orientation(common.VizOrientationHorizontal).
			ColorScheme(byThresholds()).
			Thresholds(steps(neutral)).
			OverrideByName("Of all leads", append(percent, limits(good, from(0.15, doubt), from(0.4, bad))...))).
		WithPanel(rows(about{sql: "conversion/spellings", title: "UTM values with several spellings", width: 8, height: 9,
			text:  "UTM values that differ only in capital letters, ё and е, spaces, or characters that nobody sees. Each spelling is a row of its own in the tables above; mend it where the link is made.",
			empty: "Every value has one spelling"}).
			OverrideByName("Tag", width(80)).
			OverrideByName("In common", width(110)).
			OverrideByName("Spellings and requests", whole).
			OverrideByName("Requests", width(90)))
}

// only leads from a value to the leads that have it. The key is encoded already: the variable's values are.
func only(variable, key string) dashboard.DynamicConfigValue {
	return link("Only these leads", "/d/hooktape-conversion?${__url_time_range}&${datasource:queryparam}&${source:queryparam}&${goals:queryparam}&${window_days:queryparam}&${attribution:queryparam}&${channel:queryparam}&var-"+
		variable+"=${__data.fields."+key+":percentencode}")
}
