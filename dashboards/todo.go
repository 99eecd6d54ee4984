package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func webhooks() *dashboard.DashboardBuilder { return board("hooktape-webhooks", "Webhooks", "") }
func deliveries() *dashboard.DashboardBuilder {
	return board("hooktape-deliveries", "Deliveries and replays", "")
}
func subscriber() *dashboard.DashboardBuilder {
	return board("hooktape-subscriber", "One subscriber", "")
}
func pipeline() *dashboard.DashboardBuilder { return board("hooktape-pipeline", "Pipeline", "") }
