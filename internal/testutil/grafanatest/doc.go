// Package grafanatest is a Grafana for tests: the parts of its HTTP API that hooktape uses, with state in memory, answers
// as the API's documentation and Grafana's source have them, and faults on demand.
//
// What it says of itself is tried against a real Grafana by the tests of dashboards/push, whenever GRAFANA_URL is set.
package grafanatest
