package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// all is the value for All; no encoded value equals it.
const all = "*"

// list is a variable with the values of a query. A single column is both value and text; of two, the first is the
// value.
func list(name, label, sql string) *dashboard.QueryVariableBuilder {
	text := query("variables/"+sql, Table).RawSQL
	return dashboard.NewQueryVariableBuilder(name).
		Label(label).
		Datasource(source).
		Query(dashboard.StringOrMap{String: &text}).
		Definition(text).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged)
}

// several is a list that allows multiple values.
func several(name, label, sql string) *dashboard.QueryVariableBuilder {
	return list(name, label, sql).Multi(true).IncludeAll(true).AllValue(all).
		Current(dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{String: new("All")},
			Value: dashboard.StringOrArrayOfString{String: new("$__all")}})
}

// choice is a variable with fixed values. The first is the default.
func choice(name, label string, values ...[2]string) *dashboard.CustomVariableBuilder {
	var options []dashboard.VariableOption
	text := ""
	for i, v := range values {
		options = append(options, dashboard.VariableOption{Selected: new(i == 0),
			Value: dashboard.StringOrArrayOfString{String: &v[0]},
			Text:  dashboard.StringOrArrayOfString{String: &v[1]}})
		if i > 0 {
			text += ","
		}
		text += v[1] + " : " + v[0]
	}
	return dashboard.NewCustomVariableBuilder(name).Label(label).
		Values(dashboard.StringOrMap{String: &text}).
		Options(options).
		Current(options[0])
}
