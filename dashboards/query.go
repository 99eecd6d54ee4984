package dashboards

import (
	"embed"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// PluginID is the data source plugin that the dashboards are for.
const PluginID = "grafana-clickhouse-datasource"

// Format is the form in which the plugin passes the rows of a query to a panel. The numbers are those of the plugin.
type Format int

const (
	// TimeSeries makes a series of each number and each combination of texts. Rows are ordered by time.
	TimeSeries Format = 0
	// Table leaves the rows as they are.
	Table Format = 1
	// Trace is for the panel that draws a trace: a row is a span.
	Trace Format = 3
)

// Query is a query of the ClickHouse plugin, in SQL. The field editorType is read by the plugin's version 4; version 3
// knows a query in SQL by its rawSql. Both read the others.
type Query struct {
	RefID          string                `json:"refId"`
	Datasource     *common.DataSourceRef `json:"datasource,omitempty"`
	EditorType     string                `json:"editorType"`
	RawSQL         string                `json:"rawSql"`
	Format         Format                `json:"format"`
	SelectedFormat Format                `json:"selectedFormat"`
	// PluginVersion tells version 4 that there is nothing to migrate.
	PluginVersion string `json:"pluginVersion"`
	// BuilderOptions are those of a query that is not in SQL. A trace has empty ones: version 4.18 looks into them.
	BuilderOptions *struct{} `json:"builderOptions,omitempty"`
}

//go:embed sql
var files embed.FS

// query reads sql/name.sql.
func query(name string, format Format) Query {
	text, err := SQL(name)
	if err != nil {
		panic(err) // a name in this package's code has no file
	}
	q := Query{RefID: "A", Datasource: &source, EditorType: "sql", RawSQL: text, Format: format,
		SelectedFormat: format, PluginVersion: "4.0.0"}
	if format == Trace {
		q.BuilderOptions = new(struct{})
	}
	return q
}

// Build makes a Query its own builder.
func (q Query) Build() (variants.Dataquery, error) { return q, nil }

// ImplementsDataqueryVariant says that a Query can be a panel's target.
func (Query) ImplementsDataqueryVariant() {}

// DataqueryType is the plugin's id.
func (Query) DataqueryType() string { return PluginID }

// Equals reports whether other is the same query.
func (q Query) Equals(other variants.Dataquery) bool {
	o, ok := other.(Query)
	return ok && q.RefID == o.RefID && q.RawSQL == o.RawSQL && q.Format == o.Format
}

// Validate returns an error when the query has no SQL.
func (q Query) Validate() error {
	if q.RawSQL == "" {
		return fmt.Errorf("query %s has no SQL", q.RefID)
	}
	return nil
}
