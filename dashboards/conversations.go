package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// conversations shows who talks with the bot and its operators, and how often.
func conversations() *dashboard.DashboardBuilder {
	return board("hooktape-conversations", "Conversations", "Who is active, who is new, and how long they stay.").
		WithVariable(several("sources", "Sources", "source")).
		WithVariable(several("channel", "Messenger", "channels")).
		WithPanel(figures(about{sql: "conversations/summary", title: "Subscribers", width: 24, height: 4,
			text: "Subscribers with at least one accepted request in this time. New: the subscriber's first request " +
				"ever (to these sources, by these messengers) is in this time. Conversations closed and profiles " +
				"viewed count what operators did, without BotHelp's retries.",
			empty: "No subscribers in this time"}).
			OverrideByName("Active subscribers", colored(neutral)).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/days", title: "Active subscribers per day", width: 16, height: 8,
			text:  "Each subscriber counts once a day. New: the first request ever was on that day.",
			empty: "No subscribers in this time"}).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/weeks", title: "Active subscribers per week", width: 8, height: 8,
			text: "Each subscriber counts once a week, from Monday on. New: the first request ever was in that " +
				"week. The first and the last week may be cut by the range of time.",
			empty: "No subscribers in this time"}).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/operators", title: "Operator activity", width: 8, height: 8,
			text: "Conversations closed and profiles viewed per day, as reported by BotHelp's chat webhooks, " +
				"without its retries.",
			empty: "No chat webhooks in this time"}).
			OverrideByName("Conversations closed", colored(neutral)).
			OverrideByName("Profiles viewed", colored(quiet))).
		WithPanel(groups(about{sql: "conversations/counts", title: "Conversations per subscriber", width: 8, height: 8,
			text: "Subscribers by the highest number of conversations (field conversations_count) in their requests " +
				"in this time.",
			empty: "No request has a number of conversations"}, neutral)).
		WithPanel(groups(about{sql: "conversations/contact_time", title: "Time from first to last contact", width: 8,
			height: 8,
			text: "Subscribers by the time between their first and their last contact, as reported by their " +
				"requests in this time.",
			empty: "No request has a first and a last contact"}, second)).
		WithPanel(hours(about{sql: "conversations/hours", title: "Activity by hour of the week", width: 24, height: 10,
			text: "Accepted requests of subscribers by weekday and hour in your time zone (UTC in Grafana before " +
				"version 10).",
			empty: "No subscribers in this time"})).
		WithPanel(rows(about{sql: "conversations/channels", title: "Messengers", width: 24, height: 9,
			text: "Subscribers by messenger. Conversations per subscriber: the average of conversations_count where " +
				"BotHelp reports it.",
			empty: "No subscribers in this time"}).
			OverrideByName("Active subscribers", barCell(neutral)).
			OverrideByName("Conversations closed", barCell(quiet)).
			OverrideByName("Profiles viewed", barCell(quiet)).
			OverrideByName("Conversations per subscriber",
				[]dashboard.DynamicConfigValue{property("decimals", 1), absent}))
}

// groups is a panel with a bar for each group. It limits the length of the names, because Grafana 12 takes a missing
// limit for zero letters.
func groups(a about, color string) *barchart.PanelBuilder {
	return show(barchart.NewPanelBuilder(), a, Table).
		ColorScheme(fixed(color)).
		Unit(count).
		FillOpacity(80).
		LineWidth(0).
		ShowValue(common.VisibilityModeAuto).
		XTickLabelMaxLength(100).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(false).DisplayMode(common.LegendDisplayModeHidden).
			Placement(common.LegendPlacementBottom))
}
