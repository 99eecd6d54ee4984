// Package ingest takes BotHelp's webhooks and brings them to ClickHouse.
//
// It has two halves that meet in a spool on disk, and only there:
//
//   - [Server] authenticates a request, captures it byte for byte, appends it to the spool and answers.
//   - [Drain] takes batches from the spool, decodes them and inserts them into ClickHouse.
//
// # What the answers mean
//
// 200: the event is on this machine's disk (fsync), and will be in ClickHouse exactly once. 503 with Retry-After: the
// event is not kept, because the disk is full, or fails; nothing else makes the server say so, ClickHouse's absence
// least of all. Any other status is a verdict on the request, which is kept in the audit like an accepted one as long as
// strangers do not send more of them than [Limits] allows.
//
// # Secrets
//
// The hook token in the URL is cut out before any other code sees the request: what is stored, logged, traced and
// measured has *** in its place.
package ingest
