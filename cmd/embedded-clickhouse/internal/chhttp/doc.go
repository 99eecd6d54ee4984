// Package chhttp serves the part of ClickHouse's HTTP interface that clickhouse-go, Grafana's plugin and curl use, over
// the embedded engine.
//
// A request is one statement in a session of its own, so its settings, parameters and database never reach the next
// one. It passes these steps, a file each:
//
//	guard      check the sender                 Host, Origin, user and password
//	request    parse URL and headers            settings, parameters, formats
//	body       read the body                    decompression, spooling to an unlinked file
//	statement  parse the statement              by the engine's parser; find the start of an INSERT's data
//	judge      check the statement              kinds, functions, engines, formats, settings
//	run        open a session and run           role and readonly; KILL QUERY when the client disconnects
//	response   write the result                 Native at the client's revision, compression, errors
//
// The engine is a library: it could read every file, and start every program, that its user may. Three independent
// fences prevent that: its grants (see libchdb), the judge, and the confinement of the process.
//
// Differences to a server: no sessions over several requests, no external tables, no INSERT … SELECT FROM input(), no
// progress headers, no compression but gzip and ClickHouse's blocks in LZ4, and log_comment is not available (it marks
// the query to kill). A result in a format whose pieces cannot be joined (JSON, Parquet, …) is held in memory until it
// is complete.
package chhttp
