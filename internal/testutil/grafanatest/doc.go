// Package grafanatest is a Grafana for tests: the parts of its HTTP API that hooktape uses, with state in memory,
// answers as the API's documentation and Grafana's source have them, and faults on demand.
//
// With GRAFANA_URL set, the tests of dashboards/push compare it with a real Grafana.
package grafanatest
