// Package chhttp serves ClickHouse's HTTP interface over the embedded engine, so that clients of ClickHouse speak to it as to
// a server.
//
// A request is one statement in a session of its own, which is why settings, parameters and the database of one never reach
// the next. It goes through these steps, a file each:
//
//	guard      may this come from here?                     Host, Origin, user and password
//	request    what is asked?                               URL and headers into settings, parameters, formats
//	body       where is the text, where the data?           decompression, spooling to an unlinked file
//	statement  what is the text?                            as the engine's parser returns it; start of an INSERT's data
//	judge      may it run?                                  kinds, functions, engines, formats, settings
//	run        open a session, SET, run, watch the client   role and readonly; KILL QUERY when it goes away
//	output     the answer                                   Native at the client's revision, compression, errors
//
// The engine is a library: it could read every file, and start every program, that its user may. Its grants (see libchdb), the
// judge and the confinement of the process keep it from that, each for itself as far as it can.
//
// Differences to a server: no sessions over several requests, no external tables, no INSERT … SELECT FROM input(), no
// progress headers, log_comment is taken (it marks the query to kill), and a result in a format whose pieces cannot be joined
// (JSON, Parquet, …) is held in memory until it is complete.
package chhttp
