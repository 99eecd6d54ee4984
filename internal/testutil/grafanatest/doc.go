// Package grafanatest is a fake Grafana for tests: the parts of its HTTP API that hooktape uses, with its state in
// memory, with the answers of the API's documentation and Grafana's source, and with faults on demand.
//
// With GRAFANA_URL set, the tests of dashboards/push also run against a real Grafana.
package grafanatest
