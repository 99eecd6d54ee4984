// Package push creates or updates a data source, a folder and the dashboards in a running Grafana.
//
// # Guarantees
//
//   - It creates missing objects, updates its own and changes no others. Its own are a dashboard with one of its uids
//     and its tag in its folder, and a data source with its uid and plugin. It keeps other settings of the data source
//     (certificates, timeouts).
//   - A second push changes nothing. Dashboards are compared as Grafana returns them, without id and version.
//   - It does not overwrite a concurrent change: an update names the version that it replaces.
//   - A dry run reads and never writes.
//   - A problem with one object is reported for that object, and the others continue. A problem with all of them (no
//     answer, no Grafana, no rights, no plugin, too old) is an error: one sentence that says what to do.
//   - Results and errors never contain the token or the password.
package push
