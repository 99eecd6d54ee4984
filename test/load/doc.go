// Package load sends webhooks to a hook and keeps a ledger of what it was promised: the id of every request that was
// answered with 200, and how long the answer took.
//
// It shares the machine with what it tests, so it is a client of its own that does nothing but this: one goroutine and
// one buffer a connection, requests written with one call. A request is sent once and
// never again, whatever becomes of it, so that what is stored can be counted against what was sent.
package load
