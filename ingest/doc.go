// Package ingest receives BotHelp's webhooks and stores them in ClickHouse.
//
// It has two halves that meet in a spool on disk, and only there:
//
//   - [Server] authenticates a request, captures it byte for byte, appends it to the spool and answers.
//   - [Sink] takes batches from the spool, decodes them and inserts them into ClickHouse.
//
// # Answers
//
// 200: the event is on this machine's disk (fsync), and will be in ClickHouse exactly once. 503 with Retry-After: the
// event is not stored, because the disk is full or fails, or [Limits].MaxMemory is in use; an unreachable ClickHouse
// never causes it. Any other status is a verdict on the request, which is stored for the audit like an accepted one,
// within [Limits].
//
// # Secrets
//
// The hook token in the URL is replaced by *** before any other code sees the request: before it is stored, logged,
// traced and measured.
package ingest
