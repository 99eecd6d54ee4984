package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// Targets of the links in tables. Links to a subscriber and to a trace leave out the time range, because their data can
// be outside the viewer's.
const (
	toRequest   = "${hooktape_url}/events/${__value.raw}"
	toReplay    = "${hooktape_url}/replays/${__value.raw}"
	toNewReplay = "${hooktape_url}/replays?endpoint=${__value.raw:percentencode}&failed_at=${__value.raw:percentencode}"
	toTrace     = "/d/hooktape-pipeline?${datasource:queryparam}&viewPanel=" + tracePanel +
		"&var-trace_id=${__value.raw}"
	toPerson = "/d/hooktape-subscriber?${datasource:queryparam}&var-who=${__data.fields.person_key:percentencode}"
)

// door is a column of links with the same text for each value.
func door(text, title, url string, pixels int) []dashboard.DynamicConfigValue {
	return append(width(pixels), link(title, url), asText(text))
}

// asText shows text in place of every value.
func asText(text string) dashboard.DynamicConfigValue {
	return property("mappings", []map[string]any{
		{"type": "regex", "options": map[string]any{"pattern": ".+",
			"result": map[string]any{"text": text, "index": 0}}}})
}

// hooktapeURL is the address of hooktape's console for the viewer's browser.
func hooktapeURL() constant {
	return newConstant("hooktape_url", "Address of hooktape", "http://127.0.0.1:8081")
}

// constant is a variable for administrators of the dashboards, not for viewers. It is not part of a dashboard's URL, so
// links between dashboards do not change it. (Grafana 9 reads it from a URL nevertheless.)
type constant struct {
	*dashboard.ConstantVariableBuilder
}

func newConstant(name, label, value string) constant {
	return constant{dashboard.NewConstantVariableBuilder(name).Label(label).
		Value(dashboard.StringOrMap{String: &value})}
}

// Build implements cog.Builder.
func (c constant) Build() (dashboard.VariableModel, error) {
	v, err := c.ConstantVariableBuilder.Build()
	v.SkipUrlSync = new(true)
	return v, err
}

// box is a variable with a text box.
func box(name, label, text string) *dashboard.TextBoxVariableBuilder {
	return dashboard.NewTextBoxVariableBuilder(name).Label(label).Description(text).
		DefaultValue(dashboard.StringOrMap{String: new("")})
}
