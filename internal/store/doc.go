// Package store is everything that hooktape says to ClickHouse.
//
// Inserts carry a deduplication token made by the caller's spool: an insert that is sent again after a crash or a lost
// answer is dropped by the server, so that each batch is stored once. An insert that returned nil is on the server's
// disk (fsync_after_insert).
//
// On a cluster ([OpenCluster]) the same holds for each shard, of the replica that took the insert.
//
// What a caller decides on are three errors: [ErrRefused] (the server will never take these rows), [ErrNotFound], and
// [ErrUnavailable] (no answer, or one that says to come again). Everything else is a fault of the set-up.
package store
