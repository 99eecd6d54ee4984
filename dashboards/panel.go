package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// source is the data source that the variable "datasource" of each dashboard names.
var source = common.DataSourceRef{Type: new(PluginID), Uid: new("${datasource}")}

// Colours mean the same on all dashboards.
const (
	good    = "green"
	doubt   = "orange"
	bad     = "red"
	neutral = "blue"
	second  = "purple"
	quiet   = "#8e8e8e"
)

// about has the common properties of a panel.
type about struct {
	sql           string // the file under sql, without .sql
	title         string
	text          string // the exact definition
	empty         string // the text for no data
	width, height uint32 // of 24 columns; of rows
}

// panel has the common methods of the builders of panels.
type panel[B any] interface {
	cog.Builder[dashboard.Panel]
	Title(string) B
	Description(string) B
	Datasource(common.DataSourceRef) B
	WithTarget(cog.Builder[variants.Dataquery]) B
	NoValue(string) B
	Span(uint32) B
	Height(uint32) B
}

// show sets the properties that all panels have.
func show[B panel[B]](b B, a about, format Format) B {
	b.Title(a.title)
	b.Description(a.text)
	b.Datasource(source)
	b.WithTarget(query(a.sql, format))
	b.NoValue(a.empty)
	b.Span(a.width)
	return b.Height(a.height)
}

// number is a panel with one large number, or several: the last row's.
func number(a about) *stat.PanelBuilder {
	return show(stat.NewPanelBuilder(), a, Table).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeNone).
		Orientation(common.VizOrientationAuto).
		ColorScheme(fixed("text")).
		Unit(count)
}

// lines is a panel of series over time.
func lines(a about) *timeseries.PanelBuilder {
	return show(timeseries.NewPanelBuilder(), a, TimeSeries).
		LineWidth(1.5).
		FillOpacity(8).
		ShowPoints(common.VisibilityModeNever).
		Min(0).
		Unit(count).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
}

// bars is a panel of stacked bars over time.
func bars(a about) *timeseries.PanelBuilder {
	return lines(a).
		DrawStyle(common.GraphDrawStyleBars).
		FillOpacity(80).
		LineWidth(0).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// rows is a table. Its text for no data is not shown in cells: a missing text is empty, a missing number or time a
// dash. A text of digits, such as a phone number, is not formatted as a number.
func rows(a about) *table.PanelBuilder {
	return show(table.NewPanelBuilder(), a, Table).ColorScheme(fixed("text")).Unit(count).MinWidth(90).
		OverrideByFieldType("string", []dashboard.DynamicConfigValue{property("noValue", ""),
			property("unit", "string")}).
		OverrideByFieldType("number", []dashboard.DynamicConfigValue{absent}).
		OverrideByFieldType("time", []dashboard.DynamicConfigValue{absent, property("unit", "dateTimeAsIso")})
}

func fixed(color string) *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor(color)
}

// steps are thresholds: the first colour from the beginning, then a colour from each limit on.
func steps(first string, limits ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	all := append([]dashboard.Threshold{{Color: first}}, limits...)
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(all)
}

func from(limit float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: &limit, Color: color}
}

func byThresholds() *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)
}

// property is one setting of the fields that an override matches. The ids are those of Grafana.
func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

// colored gives a field its colour.
func colored(color string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{property("color", map[string]any{"mode": "fixed", "fixedColor": color})}
}

// barCell draws a number as a bar in its cell.
func barCell(color string) []dashboard.DynamicConfigValue {
	return append(colored(color), property("min", 0), property("fieldMinMax", true),
		property("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}))
}

// link makes each value of a field a link.
func link(title, url string) dashboard.DynamicConfigValue {
	return property("links", []map[string]any{{"title": title, "url": url}})
}

// count is the unit of plain numbers: with the thousands separator of the viewer's language.
const count = "locale"

var (
	// absent shows a dash for a missing value: the first step of a funnel has no previous step.
	absent  = property("noValue", "–")
	percent = []dashboard.DynamicConfigValue{property("unit", "percentunit"), property("decimals", 1)}
	// duration is in minutes: Grafana 9 and 10.1 draw the bars of a table's other columns up to the largest number of
	// all.
	duration = []dashboard.DynamicConfigValue{property("unit", "m"), property("decimals", 1)}
	// whole wraps a text, with the property of Grafana up to 12.3 and with the one of later versions. Before 11.1
	// Grafana cuts it.
	whole = []dashboard.DynamicConfigValue{property("custom.cellOptions",
		map[string]any{"type": "auto", "wrapText": true}), property("custom.wrapText", true)}
	// hidden hides a field that links use, with the property of Grafana up to 12.1 and with the one of later versions.
	hidden = []dashboard.DynamicConfigValue{property("custom.hidden", true), property("custom.hideFrom.viz", true)}
)

// width is that of a table's column, in pixels.
func width(pixels int) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{property("custom.width", pixels)}
}

// hours is a table of weekdays and hours. The larger a number, the darker its cell.
func hours(a about) *table.PanelBuilder {
	return rows(a).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode("continuous-blues")).
		OverrideByRegexp("\\d\\d", []dashboard.DynamicConfigValue{
			property("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}),
			property("custom.minWidth", 36), property("custom.align", "center"), property("decimals", 0)}).
		OverrideByName("Day", width(110))
}
