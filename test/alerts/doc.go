// Package alerts tries the files of dashboards/provisioning: that Grafana can read them, that each alert rule fires
// when it should and only then, on a real engine, and that the ClickHouse user of Grafana may do just what it needs.
package alerts
