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

// Options says how a spool behaves. Start from DefaultOptions.
type Options struct {
	// MaxBytes bounds the bytes of waiting records. Beyond it Append answers
	// ErrFull until some are acked. What the disk holds is somewhat more:
	// headers, the log, and acked records whose files are not yet removed.
	MaxBytes int64 `yaml:"max_bytes"`
	// MinFree is the disk space that must stay free for everything else on
	// that disk. Below it Append answers ErrFull until there is room again.
	// 0 means not to ask.
	MinFree int64 `yaml:"min_free"`
	// MaxOpenFiles bounds the tables that are kept open, each by a descriptor.
	// Below 64 it counts as 64.
	MaxOpenFiles int `yaml:"-"`
	// FS is the file system; tests put faults into it.
	FS vfs.FS `yaml:"-"`
	// Logger takes what an operator must know. nil means slog.Default().
	Logger *slog.Logger `yaml:"-"`
	// OnCommit, when set, is told of each commit from the committer's own
	// goroutine: it must be quick and must not call the spool.
	OnCommit func(Commit) `yaml:"-"`
	// OnStore, when set, is told of each batch that a Drain has brought to
	// its sink, or tried to, from the drain's own goroutine.
	OnStore func(Store) `yaml:"-"`

	memTable uint64 // bytes, 0 means the default; tests make it small
}

const defaultMemTable = 16 << 20

// Commit describes one group commit.
type Commit struct {
	Records int           // appended by it
	Bytes   int           // of those records
	Waited  time.Duration // from the first record's Append to the commit's start
	Took    time.Duration // writing and fsync
}

// Store describes what became of a batch.
type Store struct {
	Records     int
	Took        time.Duration // the sink's answer
	Quarantined bool          // the sink refuses this record, and has quarantined it
	Err         error         // why the batch is not stored; nil when it is
}

// DefaultOptions is what a small server wants.
func DefaultOptions() Options {
	return Options{MaxBytes: 10 << 30, MinFree: 1 << 30, MaxOpenFiles: 256, FS: vfs.Default}
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.MaxBytes <= 0 {
		return fmt.Errorf("spool: MaxBytes must be positive, is %d", o.MaxBytes)
	}
	if o.FS == nil {
		return errors.New("spool: FS is missing")
	}
	return nil
}

// Limits says when a batch is ready and how large it may get: Next returns as
// soon as Records records or Bytes bytes wait, or the oldest is Age old.
type Limits struct {
	Records int           `yaml:"rows"`
	Bytes   int64         `yaml:"bytes"`
	Age     time.Duration `yaml:"age"`
}

// DefaultLimits suits inserts into ClickHouse.
func DefaultLimits() Limits {
	return Limits{Records: 10_000, Bytes: 8 << 20, Age: 500 * time.Millisecond}
}

// Validate says what is wrong with the limits.
func (l Limits) Validate() error {
	if l.Records <= 0 || l.Bytes <= 0 || l.Age < 0 {
		return fmt.Errorf("spool: limits must be positive, are %d records, %d bytes, %v",
			l.Records, l.Bytes, l.Age)
	}
	return nil
}
