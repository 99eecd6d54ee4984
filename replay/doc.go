// Package replay sends stored events to downstream endpoints.
//
// A replay is a frozen selection: one pending delivery for each event, written in one statement when it is made. A
// [Runner] looks for running replays and works each off in order of arrival: it notes an attempt's intent on disk, sends
// the request, and notes the outcome on disk; a [Recorder] brings both to ClickHouse. So an absence of ClickHouse loses
// no history, and a crash leaves at most attempts whose outcome is unknown: their deliveries are sent again with the
// same Idempotency-Key, and the attempts table says "unknown" of the attempt that the crash cut off.
//
// What is sent is what came: method, body bytes and headers; see [newRequest] for the exceptions.
package replay
