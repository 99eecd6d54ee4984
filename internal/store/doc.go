// Package store contains all communication with ClickHouse.
//
// An insert carries a deduplication token from the caller's spool. The server drops an insert that is repeated after a
// crash or a lost answer, so each batch is stored once. When an insert returns nil, its rows are on the server's disk
// (fsync_after_insert). On a cluster ([OpenCluster]) the same holds for each shard, on the replica that took the
// insert.
//
// Callers handle three errors: [ErrRefused] (the server will never accept these rows), [ErrNotFound], and
// [ErrUnavailable] (no answer, or one that asks to try again later). All others are errors of the installation.
package store
