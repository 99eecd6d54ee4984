// Package replay delivers stored events to endpoints: live, as they are stored, and again, in replays.
//
// Each delivery is a row in ClickHouse, in the queue of an endpoint or of a replay. A poller fills an endpoint's queue
// from the table events; freezing a replay's selection fills the replay's queue. A worker sends the deliveries of one
// queue:
//
//	events ──poller──▶ deliveries ──scan──▶ ready queue ──▶ breaker ──▶ attempt ──▶ endpoint
//	                        ▲                                              │
//	                        └────────────────── recorder ◀─────────────────┘
//
// For each attempt the worker records the intent on disk, sends the request (see package outbound), and records the
// outcome on disk. A [Recorder] brings both to ClickHouse. So no history is lost while ClickHouse is away. A crash
// leaves at most attempts with an unknown outcome: their deliveries are sent again with the same Idempotency-Key.
//
// A [Runner] reconciles the running workers with those that should run, while its process has the lease. Delivery keeps
// its state only in ClickHouse and in the recorder's spool. Every worker may be ended at any moment, and the next one
// reads there where it was.
//
// A [Service] creates and steers replays. It shares only ClickHouse with the Runner.
//
// The files build on each other, from the top down:
//
//	service.go                what people and programs may ask for
//	freeze.go                 a replay's selection becomes deliveries
//	runner.go                 which workers run
//	replays.go                the states of replays
//	endpointstates.go         the states of endpoints, and how far their pollers are
//	worker.go                 the loop that sends a queue
//	poller.go                 new events become deliveries
//	readyqueue.go             the deliveries that a worker has in memory
//	sender.go                 one attempt, recorded before and after
//	metrics.go, target.go     an endpoint in use
//	recorder.go, lease.go     outcomes on disk; which process delivers
//	endpoint.go, retry.go     the configuration of an endpoint
package replay
