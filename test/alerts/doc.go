// Package alerts tests the files of dashboards/provisioning on a real engine: Grafana can read them, each alert rule
// fires when it should and only then, and Grafana's ClickHouse user has the rights it needs and no more.
package alerts
