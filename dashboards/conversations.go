package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// conversations shows who talks with the bot and its operators, and how much.
func conversations() *dashboard.DashboardBuilder {
	return board("hooktape-conversations", "Conversations", "Who is active, who is new, and how long they stay.").
		WithVariable(several("sources", "Sources", "source")).
		WithVariable(several("channel", "Messenger", "channels")).
		WithPanel(number(about{sql: "conversations/summary", title: "Subscribers", width: 24, height: 4,
			text:  "Subscribers with at least one accepted request in this time. New are those whose very first request ever (to these sources, by these messengers) is in this time. Conversations closed and profiles viewed are what operators did, BotHelp's repetitions not counted.",
			empty: "Nobody in this time"}).
			OverrideByName("Active subscribers", colored(neutral)).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/days", title: "Active subscribers a day", width: 16, height: 8,
			text:  "Each subscriber counts once a day. New: the first request ever was on that day.",
			empty: "Nobody in this time"}).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/weeks", title: "Active subscribers a week", width: 8, height: 8,
			text:  "Each subscriber counts once a week, from Monday on. New: the first request ever was in that week. The first and the last week may be cut by the range of time.",
			empty: "Nobody in this time"}).
			OverrideByName("New", colored(good)).
			OverrideByName("Returning", colored(second))).
		WithPanel(bars(about{sql: "conversations/operators", title: "What operators did", width: 8, height: 8,
			text:  "Conversations closed and profiles viewed a day, as BotHelp's chat webhooks tell. Its repetitions of one and the same are not counted.",
			empty: "No chat webhooks in this time"}).
			OverrideByName("Conversations closed", colored(neutral)).
			OverrideByName("Profiles viewed", colored(quiet))).
		WithPanel(groups(about{sql: "conversations/counts", title: "Conversations a subscriber has had", width: 8, height: 8,
			text:  "Subscribers by the highest number of conversations (the field conversations_count) that their requests in this time told of.",
			empty: "No request told a number of conversations"}, neutral)).
		WithPanel(groups(about{sql: "conversations/lasting", title: "From the first contact to the last", width: 8, height: 8,
			text:  "Subscribers by the time between the first and the last contact that their requests in this time told of: within an hour, within a day, and so on.",
			empty: "No request told of first and last contact"}, second)).
		WithPanel(hours(about{sql: "conversations/hours", title: "When subscribers write, by hour of the week", width: 24, height: 10,
			text:  "Accepted requests of subscribers by weekday and hour, in your time zone (in UTC, where Grafana is older than 10).",
			empty: "Nobody in this time"})).
		WithPanel(rows(about{sql: "conversations/channels", title: "Messengers", width: 24, height: 9,
			text:  "Subscribers by their messenger. Conversations a subscriber: the average of conversations_count where BotHelp tells it.",
			empty: "Nobody in this time"}).
			OverrideByName("Active subscribers", barCell(neutral)).
			OverrideByName("Conversations closed", barCell(quiet)).
			OverrideByName("Profiles viewed", barCell(quiet)).
			OverrideByName("Conversations a subscriber", []dashboard.DynamicConfigValue{property("decimals", 1), absent}))
}

// groups is a bar for each of a few groups. Their names are short: the SDK's limit of none is read as one of no letters at all
// by Grafana 12.
func groups(a about, color string) *barchart.PanelBuilder {
	return show(barchart.NewPanelBuilder(), a, Table).
		ColorScheme(fixed(color)).
		Unit(count).
		FillOpacity(80).
		LineWidth(0).
		ShowValue(common.VisibilityModeAuto).
		XTickLabelMaxLength(100).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(false).DisplayMode(common.LegendDisplayModeHidden).Placement(common.LegendPlacementBottom))
}
