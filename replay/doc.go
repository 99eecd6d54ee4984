// Package replay delivers stored events to downstream endpoints: live, as they are stored, and again, in replays.
//
// Both are deliveries in a queue, a row each in ClickHouse: an endpoint's live queue is filled by a [poller] of the table
// events, a replay's by the one statement that freezes its selection. A [worker] sends what is in a queue. It notes an attempt's
// intent on disk, sends the request, and notes the outcome on disk; a [Recorder] brings both to ClickHouse. So an absence of
// ClickHouse loses no history, and a crash leaves at most attempts whose outcome is unknown: their deliveries are sent again with
// the same Idempotency-Key, and the attempts table says "unknown" of the attempt that the crash cut off.
//
//	events ──poller──▶ deliveries ──scan──▶ ready queue ──▶ breaker ──▶ attempt ──▶ endpoint
//	                        ▲                                              │
//	                        └────────────────── recorder ◀─────────────────┘
//
// A [Runner] decides which workers there are. Nothing is remembered anywhere but in ClickHouse and the recorder's spool: every
// worker may be ended at any moment, and one that begins reads where it stands.
//
// What is sent is what came: method, body bytes and headers; see [newRequest] for the exceptions. A [Service] is what
// people and programs ask for replays.
package replay
