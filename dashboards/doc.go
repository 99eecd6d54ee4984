// Package dashboards is what Grafana shows of what hooktape stores: seven dashboards as Go code, their queries as SQL
// files.
//
// [All] builds the dashboards; go generate writes them to json, from where Grafana's provisioning reads them and the
// command dashboards pushes them. They open on Grafana 10 to 13 with the data source plugin
// grafana-clickhouse-datasource 4, and on 9.4 with version 3.3: a [Query] has what both read.
//
// # Rules of the queries
//
//   - sql has a file for each panel, sql/DASHBOARD/PANEL.sql, which begins with a comment for its readers.
//   - A Grafana variable is quoted and percent-encoded, '${x:percentencode}', and is decoded by decodeURLComponent:
//     nothing that comes from a webhook, a text box or a link can break out of its quotes. Lists come as {a,b}; "all"
//     is *. The query of a list encodes its values once more, so a comma in a UTM tag is no comma of the list; see the
//     view journeys.
//   - Macros of the plugin take no argument with a comma: version 3 splits at each one.
//   - Days and weeks are the viewer's: the expression "zone" takes Grafana's ${__timezone}, where that is known, else
//     UTC. Bars of some hours begin at the viewer's midnight too: the query adds how far the zone is "ahead", and takes
//     it away again.
//   - dateDiff by hours or days compares what clocks of the two zones show; seconds are safe.
package dashboards
