package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

func webhooks() *dashboard.DashboardBuilder      { return board("hooktape-webhooks", "Webhooks", "") }
func conversion() *dashboard.DashboardBuilder    { return board("hooktape-conversion", "Conversion and UTM", "") }
func conversations() *dashboard.DashboardBuilder { return board("hooktape-conversations", "Conversations", "") }
func deliveries() *dashboard.DashboardBuilder    { return board("hooktape-deliveries", "Deliveries and replays", "") }
func subscriber() *dashboard.DashboardBuilder    { return board("hooktape-subscriber", "One subscriber", "") }
func pipeline() *dashboard.DashboardBuilder      { return board("hooktape-pipeline", "Pipeline", "") }
