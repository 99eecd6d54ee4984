package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func subscriber() *dashboard.DashboardBuilder {
	return board("hooktape-subscriber", "One subscriber", "")
}
