// Package spool is a durable queue: many goroutines append records, one
// consumer takes them in batches, and neither side waits for the other.
//
// # The promise
//
// When Append returns nil, the record is on disk with fsync. From then on the
// consumer gets it, in order, in exactly one batch:
//
//	Next ──▶ store the batch under its Token ──▶ Ack
//	             │
//	             └─ refused for its content ──▶ Shrink ──▶ store …
//
// The bounds of a batch are on disk before Next returns it. Until Ack, Next returns that very batch with that very
// Token, also after a crash. A store that ignores a token it knows therefore has each record exactly once. An ack that
// is lost in a crash does no harm: the batch comes again, and is ignored.
//
// Shrink is only for a batch that was just refused as a whole. A batch that may be stored, because of a time-out or a
// restart, must be stored again under its own token first: the shorter batch has another one.
//
// When Append returns an error, the record may be stored or not.
//
// Batch.Salvaged marks a batch that was salvaged from damage. Its records may have been handed out before, under
// another token; the consumer must recognise those stored already by their content, and leave them out.
//
// # How it works
//
// One goroutine, the committer, takes all waiting requests, numbers the records, writes them to Pebble as one commit
// with one fsync, and then releases the callers. Next never sees a record that is not durable, and never a record
// before those with smaller numbers. Numbers grow by one and never have a gap: Open checks the ends of each table, and
// Next each record.
//
// Memory does not depend on the backlog: two or three memtables, and the batch that was handed out.
//
// # Assumptions about the disk
//
// A successful fsync has written the data, and an append does not damage bytes that were synced before. Rename within a
// directory is atomic. Bits may rot, and files may vanish: a checksum, a size or a missing file reveals that. Three
// losses look like a crash: damage to the last commit of a log that was not closed, the loss of such a log's end, and
// the loss of the whole directory.
//
// # Failures
//
//	process killed, power cut    Nothing acknowledged is lost. A torn end of the
//	                             log is normal.
//	disk full, or nearly         ErrFull, until there is room again. MaxBytes and
//	                             MinFree cause it early.
//	no space for the log itself  Like the next one.
//	write or fsync error         ErrFailed for everything, until the spool is
//	                             opened again. The disk stays as it was at the
//	                             first error, and opens like after a crash.
//	damage found by Open         The database is quarantined as damaged-<time>, all
//	                             readable records are copied to a new one, and the
//	                             spool opens. See Batch.Salvaged and Stat.Damaged.
//	                             The copy needs free space.
//	damage found while it runs   The next Next salvages in the same way; Append
//	                             waits meanwhile. While that is impossible Append
//	                             goes on, and Next returns a CorruptionError.
//	other errors during Open     Permissions, too many open files, no space: Open
//	                             returns the error and changes nothing.
//	second process               ErrLocked.
//
// # Files
//
//	LOCK            locked while the spool is open
//	db/             a Pebble database; its file TAIL records how far it reaches at
//	                least, and its id
//	db.new/         an unfinished database; the next Open removes it
//	db.ready/       a finished database that is about to take the place of db
//	damaged-<time>/ a quarantined database, with damage.json; never read again, for
//	                an operator to examine and remove
//
// Keys and values in the database; numbers are big-endian:
//
//	record key    'r' │ number (8)
//	record value  appended, ns since 1970 (8) │ total (8) │ record
//	state key     's'
//	state value   version (1) │ id (16) │ acked (8) │ acked total (8) │ fixed (8) │ salvaged (8) │ mark (8)
//	note key      't' │ id (16)
//	note value    as the caller of Append gave it
//
// total counts the bytes of all records up to this one, so the size of the backlog is known without counting. acked is
// the last number that was acked, fixed the last number of the batch that is handed out, salvaged the last number that
// was salvaged, and mark the consumer's Mark of the last ack. An ack replaces the state and deletes the range of its
// records in one commit.
package spool
