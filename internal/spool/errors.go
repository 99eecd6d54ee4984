package spool

import (
	"errors"
	"fmt"
)

// What a caller decides on. The errors returned wrap these and say more.
var (
	// ErrFull refuses a record because a limit is reached. It passes by
	// itself when records are acked or disk space is freed.
	ErrFull = errors.New("spool: full")
	// ErrFailed refuses everything after a write or fsync went wrong: what
	// the disk holds is then unknown until the spool is opened again.
	ErrFailed = errors.New("spool: failed")
	// ErrSalvaging says that the spool is being salvaged: Append waits.
	ErrSalvaging = errors.New("spool: damaged, and being salvaged")
	// ErrClosed is returned once Close was called.
	ErrClosed = errors.New("spool: closed")
	// ErrLocked refuses to open a directory that is open already, in this
	// process or another.
	ErrLocked = errors.New("spool: in use by another process")
	// ErrTooLarge refuses a record larger than MaxRecord.
	ErrTooLarge = errors.New("spool: record too large")
	// ErrStale refuses a batch that is not the one handed out last.
	ErrStale = errors.New("spool: not the batch that was handed out last")
)

// CorruptionError says that records on disk cannot be read, and cannot be
// salvaged now. The spool goes on taking records. The next Next, or the next
// Open, tries again to salvage what can be read.
type CorruptionError struct {
	Path string // file, or the directory where the file is not known
	Err  error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("spool: damaged: %s: %v", e.Path, e.Err)
}

func (e *CorruptionError) Unwrap() error { return e.Err }

// corruption makes a CorruptionError of err, unless it is one.
func corruption(path string, err error) *CorruptionError {
	ce := &CorruptionError{Path: path, Err: err}
	_ = errors.As(err, &ce)
	return ce
}
