// Package spool is a durable hand-off: many goroutines append records, one
// consumer takes them in batches, and neither waits for the other.
//
// # The promise
//
// When Append returns nil, the record is on disk with fsync. From then on the
// consumer gets it, in order, in exactly one batch:
//
//	Next ──▶ store the batch under its Token ──▶ Ack
//	             │
//	             └─ refused for what it holds ──▶ Shrink ──▶ store …
//
// The bounds of a batch are on disk before Next returns it. Until Ack, Next
// returns that very batch with that very Token, also after a crash. A store
// that drops a token which it knows therefore has each record exactly once.
// An ack that is lost in a crash does no harm: the batch comes again, and is
// dropped again.
//
// Shrink is only for a batch that was refused just now, as a whole. A batch
// whose fate is unknown, because of a time-out or a restart, must be stored
// again under its own token first: the shorter batch has another one.
//
// When Append returns an error, the record may be stored or not.
//
// Batch.Salvaged marks a batch that was salvaged from damage. Its records may
// have been handed out before, under another token; those that are stored
// already must be found by what they say, and left out.
//
// # How it is kept
//
// One goroutine, the committer, takes all that waits, numbers it, writes it
// to Pebble as one commit with one fsync, and releases those who wait. Next
// never sees a record that is not durable, nor one before those with smaller
// numbers. Numbers grow by one and never have a gap: a start looks at the ends
// of each table, and Next at each record.
//
// Memory does not depend on the backlog: two or three memtables, and the
// batch that was handed out.
//
// # What is assumed of the disk
//
// An fsync that succeeds has written the data, and an append does not damage
// bytes that were synced before. Rename within a directory is atomic. Bits
// may rot, and files vanish: that is found where a checksum, a size or a
// missing file shows it. What cannot be told from a crash is damage to the
// last commit of a log that was not closed, the loss of such a log's end, and
// the loss of the whole directory.
//
// # What happens when
//
//	process killed, power cut    Nothing that was acknowledged is lost. A torn
//	                             end of the log is normal.
//	disk full, or nearly         ErrFull, until there is room again. MaxBytes and
//	                             MinFree see to it that it comes early.
//	no space for the log itself  Like the next one.
//	write or fsync error         ErrFailed for everything, until the spool is
//	                             opened again. The disk is left as it was at the
//	                             first error, and opens like after a crash.
//	damage found by Open         The database is set aside as damaged-<time>, all
//	                             records that can be read are copied to a new one,
//	                             as suspects, and the spool opens. See Stat.Damaged.
//	                             It needs free space for the copy.
//	damage found while it runs   The next Next salvages in the same way; Append
//	                             waits for that. While it cannot be done Append
//	                             goes on, and Next returns a CorruptionError.
//	trouble found by Open        An error, and nothing is changed: permissions, too
//	                             many open files, no space.
//	second process               ErrLocked.
//
// # What lies on disk
//
//	LOCK            held while the spool is open
//	db/             a Pebble database; its file TAIL says how far it reaches at least, and its id
//	db.new/         one that is being made; removed by the next Open
//	db.ready/       one that is made, and is about to take the place of db
//	damaged-<time>/ one that was set aside, with damage.json; never read again,
//	                to be looked at and removed by somebody
//
// Keys and values in the database; numbers are big-endian:
//
//	record key    'r' │ number (8)
//	record value  appended, ns since 1970 (8) │ total (8) │ record
//	state key     's'
//	state value   version (1) │ id (16) │ acked (8) │ acked total (8) │ fixed (8) │ suspect (8) │ mark (8)
//
// The total counts the bytes of all records up to this one, so that what
// waits is known without counting. acked is the last number that was acked,
// fixed the last number of the batch that is handed out, suspect the last number that
// was salvaged, and mark what the consumer noted with the last ack. An ack
// replaces the state and deletes the range of its records in one commit.
package spool
