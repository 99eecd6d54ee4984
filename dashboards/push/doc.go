// Package push brings the dashboards to a Grafana that runs already: a data source, a folder, and the dashboards in it.
//
// # What it promises
//
//   - It creates what is not there, updates what is ours, and touches nothing else. Ours is a dashboard with one of our
//     uids in our folder that bears our tag, and a data source with our uid that is of our plugin. Of the data source only
//     what is said here is changed: what somebody has set beside it (certificates, timeouts) stays.
//   - A second push changes nothing. Dashboards are compared as Grafana shows them, without the id and the version that it
//     counts.
//   - What somebody else saves at the same moment is not run over: Grafana is told which version an update is made for.
//   - A dry run reads and never writes.
//   - What stands in the way of one thing is said of that one, and the others are gone on with. What stands in the way of
//     all (no answer, no Grafana, no rights, no plugin, too old) is an error: one sentence that says what to do.
//   - The token and the password are in nothing that is returned.
package push
