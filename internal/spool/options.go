package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MaxRecord is the size of the largest record that Append takes.
const MaxRecord = 32 << 20

// Options configure a spool. Start from DefaultOptions.
type Options struct {
	// MaxBytes bounds the bytes of waiting records. Beyond it Append returns ErrFull until some are acked. The disk
	// holds somewhat more: headers, the log, and acked records whose files are not yet removed.
	MaxBytes int64 `yaml:"max_bytes"`
	// MinFree is the disk space that must stay free for everything else on that disk. Below it Append returns ErrFull
	// until there is room again. 0 sets no minimum.
	MinFree int64 `yaml:"min_free"`
	// MaxOpenFiles bounds the open tables, each of which takes a descriptor. Below 64 it counts as 64.
	MaxOpenFiles int `yaml:"-"`
	// FS is the file system; tests inject faults into it.
	FS vfs.FS `yaml:"-"`
	// Logger receives what an operator must know. nil means slog.Default().
	Logger *slog.Logger `yaml:"-"`
	// OnCommit, if set, is called after each commit by the committer's
	// goroutine: it must be quick and must not call the spool.
	OnCommit func(Commit) `yaml:"-"`
	// OnStore, if set, is called after each attempt of a Drain to store or
	// quarantine a batch, by the drain's goroutine.
	OnStore func(Store) `yaml:"-"`

	memTable uint64 // bytes, 0 means the default; tests make it small
}

const defaultMemTable = 16 << 20

// Commit describes one group commit.
type Commit struct {
	Records int           // appended by it
	Took    time.Duration // writing and fsync
}

// Store describes the result of one attempt to store a batch.
type Store struct {
	Records     int
	Took        time.Duration // the sink's answer
	Quarantined bool          // the sink refuses this record, and was asked to quarantine it
	Err         error         // why the batch is not stored; nil when it is
}

// DefaultOptions suit a small server.
func DefaultOptions() Options {
	return Options{MaxBytes: 10 << 30, MinFree: 1 << 30, MaxOpenFiles: 256, FS: vfs.Default}
}

// Validate returns an error for invalid options.
func (o Options) Validate() error {
	if o.MaxBytes <= 0 {
		return fmt.Errorf("spool: MaxBytes must be positive, is %d", o.MaxBytes)
	}
	if o.FS == nil {
		return errors.New("spool: FS is missing")
	}
	return nil
}

// Limits set when a batch is ready and how large it may be: Next returns as
// soon as Records records or Bytes bytes wait, or the oldest is Age old.
type Limits struct {
	Records int           `yaml:"rows"`
	Bytes   int64         `yaml:"bytes"`
	Age     time.Duration `yaml:"age"`
}

// DefaultLimits suit inserts into ClickHouse.
func DefaultLimits() Limits {
	return Limits{Records: 10_000, Bytes: 8 << 20, Age: 500 * time.Millisecond}
}

// Validate returns an error for invalid limits.
func (l Limits) Validate() error {
	if l.Records <= 0 || l.Bytes <= 0 || l.Age < 0 {
		return fmt.Errorf("spool: limits must be positive, are %d records, %d bytes, %v",
			l.Records, l.Bytes, l.Age)
	}
	return nil
}
