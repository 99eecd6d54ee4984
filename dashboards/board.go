package dashboards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

//go:generate go run ../cmd/hooktape dashboards export json

// Folder is the name of the dashboards' folder in Grafana, FolderUID its uid.
const (
	Folder    = "hooktape"
	FolderUID = "hooktape"
)

// tag is on all dashboards. The links between them find them by it.
const tag = "hooktape"

// board returns a dashboard without panels. Its links to the other dashboards keep the time range and the variables.
func board(uid, title, text string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder(title).
		Uid(uid).
		Description(text).
		Tags([]string{tag}).
		Editable().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Timezone("browser").
		Time("now-30d", "now").
		Refresh("").
		Link(dashboard.NewDashboardLinkBuilder("hooktape").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{tag}).
			KeepTime(true).IncludeVars(true)).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type(PluginID))
}

// All builds the dashboards.
func All() ([]dashboard.Dashboard, error) {
	var all []dashboard.Dashboard
	for _, b := range []*dashboard.DashboardBuilder{webhooks(), conversion(), conversations(), deliveries(), external(),
		subscriber(), pipeline()} {
		d, err := b.Build()
		if err != nil {
			return nil, fmt.Errorf("dashboards: %w", err)
		}
		for i := range d.Links {
			d.Links[i].Placement = nil // the SDK's default would hide them in a menu
		}
		number := uint32(0)
		for _, p := range d.Panels {
			number++
			if p.Panel != nil {
				p.Panel.Id = new(number)
			} else {
				p.RowPanel.Id = number
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// JSON returns a dashboard as a file for Grafana.
func JSON(d dashboard.Dashboard) ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", *d.Title, err)
	}
	return append(data, '\n'), nil
}
