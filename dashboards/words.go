package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// word is the text and the colour of a value in a panel. Without a colour, the text colour is used.
type word struct{ value, text, color string }

var (
	verdictWords = []word{
		{"accepted", "accepted", good}, {"bad_signature", "bad signature", bad},
		{"unknown_source", "unknown source", bad}, {"bad_token", "bad token", bad}, {"too_large", "too large", bad},
		{"method_not_allowed", "method not allowed", bad}, {"aborted", "aborted", bad}, {"malformed", "malformed", bad},
	}
	// errorWords are verdictWords for tables whose accepted requests are all partly unreadable.
	errorWords = append([]word{{"accepted", "partly unreadable", doubt}}, verdictWords[1:]...)
	kindWords  = []word{
		{"flow", "flow", ""}, {"conversation_closed", "conversation closed", ""},
		{"user_profile_viewed", "user profile viewed", ""}, {"unknown", "unknown", quiet},
		{"delivery", "delivery", neutral},
	}
	activityWords = []word{
		{"usual", "as usual", good}, {"quiet", "quieter than usual", doubt}, {"silent", "silent", bad},
		{"new", "not enough data", quiet},
	}
	deliveryWords = []word{
		{"received", "received", ""}, {"delivered", "delivered", good}, {"failed", "failed", bad},
		{"pending", "pending", doubt}, {"retrying", "retrying", doubt}, {"delivering", "delivering", neutral},
		{"unknown", "unknown", doubt}, {"cancelled", "cancelled", quiet},
	}
	endpointWords = []word{
		{"active", "active", good}, {"failing", "failing", bad}, {"paused", "paused", doubt},
		{"removed", "removed", quiet}, {"adhoc", "replays only", quiet},
	}
	replayWords = []word{
		{"running", "running", neutral}, {"paused", "paused", doubt}, {"completed", "completed", good},
		{"completed_with_failures", "completed with failures", bad}, {"cancelled", "cancelled", quiet},
	}
	fallbackWords = []word{
		{"deadline", "deadline", ""}, {"refused", "no connection", ""}, {"failing", "endpoint failing", ""},
		{"in_flight", "too many at once", ""}, {"error", "other error", ""},
	}
	resultWords = []word{{"ok", "ok", good}, {"error", "error", bad}}
)

// shown maps values to words.
func shown(words []word) dashboard.DynamicConfigValue {
	options := map[string]any{}
	for i, w := range words {
		option := map[string]any{"text": w.text, "index": i}
		if w.color != "" {
			option["color"] = w.color
		}
		options[w.value] = option
	}
	return property("mappings", []map[string]any{{"type": "value", "options": options}})
}

// inWords is a column of words, each in its colour.
func inWords(words []word, pixels int) []dashboard.DynamicConfigValue {
	return append(width(pixels), shown(words), property("custom.cellOptions", map[string]any{"type": "color-text"}))
}

// lamp is a column of words, each on a background of its colour.
func lamp(words []word, pixels int) []dashboard.DynamicConfigValue {
	return append(width(pixels), shown(words), property("custom.cellOptions",
		map[string]any{"type": "color-background", "mode": "basic"}))
}

// moment is the width of a column of dates with times.
const moment = 170

// span is a column of durations in a unit of Grafana's.
func span(unit string, pixels int) []dashboard.DynamicConfigValue {
	return append(width(pixels), property("unit", unit), property("decimals", 0))
}

// figures is a panel of numbers that all have the same size, so that panels with one and with four look alike.
func figures(a about) *stat.PanelBuilder {
	return number(a).Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(14).ValueSize(30))
}

// series names each series by the value of the query's column "series".
const series = "${__field.labels.series}"

// numbered colours series that are neither good nor bad, such as sources and endpoints, without the green and red with
// which Grafana's palette begins. The query numbers the series by the zero-width spaces before their names.
func numbered(b *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	for i, color := range []string{neutral, second, "#3fa7a0", "light-blue", "dark-purple", quiet} {
		b.OverrideByRegexp(fmt.Sprintf(`/^\u200b{%d}[^\u200b]/`, i+1), colored(color))
	}
	return b
}
