package spool

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
)

// Errors on which a caller can act. The returned errors wrap these and add details.
var (
	// ErrFull refuses a record because a limit is reached. It passes when records are acked or disk space is freed.
	ErrFull = errors.New("spool: full")
	// ErrFailed refuses everything after a write or fsync has failed: the
	// state of the disk is unknown until the spool is opened again.
	ErrFailed = errors.New("spool: failed")
	// ErrSalvaging reports that the spool is being salvaged: Append waits.
	ErrSalvaging = errors.New("spool: damaged, and being salvaged")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("spool: closed")
	// ErrLocked refuses to open a directory that this or another process has open.
	ErrLocked = errors.New("spool: in use by another process")
	// ErrTooLarge refuses a record larger than MaxRecord.
	ErrTooLarge = errors.New("spool: record too large")
	// ErrStale refuses a batch other than the last one handed out.
	ErrStale = errors.New("spool: not the batch that was handed out last")
)

// CorruptionError reports records on disk that cannot be read, and cannot be salvaged now. The spool still accepts
// records. The next Next, also after another Open, tries again to salvage the readable records.
type CorruptionError struct {
	Path string // file, or the directory where the file is not known
	Err  error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("spool: damaged: %s: %v", e.Path, e.Err)
}

func (e *CorruptionError) Unwrap() error { return e.Err }

// corruption returns err as a CorruptionError.
func corruption(path string, err error) *CorruptionError {
	ce := &CorruptionError{Path: path, Err: err}
	_ = errors.As(err, &ce)
	return ce
}

// errNoRoom keeps a damaged spool from being salvaged until there is room.
var errNoRoom = errors.New("not enough free disk space to salvage")

// isDamage reports whether err means that data cannot be read. An unknown error counts as damage, because salvaging a
// sound database loses nothing. The errors listed say nothing about the data: once the machine is repaired, the same
// directory opens.
func isDamage(err error) bool {
	return err != nil && !isTransient(err) && !isNoSpace(err) &&
		!isOneOf(err, syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EBUSY, ErrFailed, errNoRoom)
}

// isTransient reports whether a file could not be opened for a reason that passes and says nothing about the disk.
func isTransient(err error) bool {
	return isOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR)
}

func isNoSpace(err error) bool { return isOneOf(err, syscall.ENOSPC, syscall.EDQUOT) }

func isOneOf(err error, list ...error) bool {
	return slices.ContainsFunc(list, func(target error) bool { return errors.Is(err, target) })
}
