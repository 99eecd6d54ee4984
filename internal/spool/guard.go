package spool

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// guardFS stands between Pebble and the disk. The first write that goes wrong
// fails the spool and freezes the disk: from then on Pebble's writes go
// nowhere, and succeed.
//
// To the disk it looks as if the process had died at the first error, and
// that is a state which Open knows how to handle. Pebble must not see the
// error: on some it panics with its locks half held, which kills the process,
// and others it repeats for ever. The spool sees the failure instead, before
// it acknowledges anything.
//
// One error is left to Pebble: a table that finds no space on the disk is
// written again until it does.
type guardFS struct {
	vfs.FS
	s  *Spool
	at func() position // for the tail
}

// Create makes a file. One that Pebble calls a marker names another, which is then in the directory for good: Pebble has both
// synced at once, and of two that were not, a power cut may leave either.
func (g guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(name, "create", func() (vfs.File, error) {
		if strings.HasPrefix(g.FS.PathBase(name), markerPrefix) {
			if err := syncDir(g.FS, g.FS.PathDir(name)); err != nil {
				return nil, err
			}
		}
		return g.begun(name)(g.FS.Create(name, c))
	})
}

// begun writes the tail when the new file is a log. While the spool runs it
// does so in the background, and no commit waits for it.
func (g guardFS) begun(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		number, _, isLog := wal.ParseLogFilename(g.FS.PathBase(name))
		if err != nil || !isLog {
			return f, err
		}
		pos := g.at()
		t := tail{log: uint64(number), last: pos.last, acked: pos.acked, id: pos.id}
		if g.s.running.Load() {
			g.s.tails.Go(func() { g.writeTail(g.FS.PathDir(name), t) })
		} else {
			g.writeTail(g.FS.PathDir(name), t)
		}
		return f, nil
	}
}

// writeTail writes a tail unless a later one exists. It first makes the name
// of the log durable.
func (g guardFS) writeTail(db string, t tail) {
	g.s.tailing.Lock()
	defer g.s.tailing.Unlock()
	if t.log < g.s.newest {
		return
	}
	g.s.newest = t.log
	_ = g.change("write", g.FS.PathJoin(db, tailName), func() error {
		if err := syncDir(g.FS, db); err != nil {
			return err
		}
		return writeTail(g.FS, db, t)
	})
}

// ReuseForWrite makes a new file where Pebble would write over an old log. Old bytes behind the end of a log that was not closed
// would be searched for commits, and what lies in old records strangers have chosen.
func (g guardFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(to, "create", func() (vfs.File, error) {
		if err := g.FS.Remove(from); err != nil {
			return nil, err
		}
		return g.begun(to)(g.FS.Create(to, c))
	})
}

func (g guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.open(name, "open", func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

func (g guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, fs: g, path: name}, nil
}

func (g guardFS) open(name, op string, open func() (vfs.File, error)) (vfs.File, error) {
	f := &guardFile{fs: g, path: name}
	err := g.change(op, name, func() (err error) {
		f.File, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.File == nil {
		f.File = vfs.NewMemFile(nil)
	}
	return f, nil
}

func (g guardFS) Link(from, to string) error {
	return g.change("link", to, func() error { return g.FS.Link(from, to) })
}

func (g guardFS) Rename(from, to string) error {
	return g.change("rename", to, func() error { return g.FS.Rename(from, to) })
}

// Remove may fail without harm.
func (g guardFS) Remove(name string) error {
	if g.s.failure() != nil {
		return nil
	}
	return g.FS.Remove(name)
}

// RemoveAll may fail without harm.
func (g guardFS) RemoveAll(name string) error {
	if g.s.failure() != nil {
		return nil
	}
	return g.FS.RemoveAll(name)
}

func (g guardFS) Unwrap() vfs.FS { return g.FS }

// change does something to the disk, unless the spool has failed, and fails
// the spool if it goes wrong.
func (g guardFS) change(op, path string, do func() error) error {
	if g.s.failure() != nil {
		return nil
	}
	err := do()
	if err == nil {
		return nil
	}
	if pe := (*os.PathError)(nil); !errors.As(err, &pe) {
		err = &os.PathError{Op: op, Path: path, Err: err}
	}
	// While the spool is being opened nobody can wait for space.
	if noSpace(err) && strings.HasSuffix(path, tableSuffix) && g.s.running.Load() {
		g.s.disk.refused(g.s.now(), err)
		return err
	}
	_ = g.s.fail(err)
	return nil
}

// How Pebble names files.
const (
	tableSuffix  = ".sst"
	markerPrefix = "marker."
)

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// guardFile is a file or directory that Pebble writes.
type guardFile struct {
	vfs.File
	fs   guardFS
	path string
}

func (f *guardFile) Write(b []byte) (int, error) {
	err := f.fs.change("write", f.path, func() error {
		_, err := f.File.Write(b)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *guardFile) Sync() error {
	return f.fs.change("fsync", f.path, f.File.Sync)
}

func (f *guardFile) SyncData() error {
	return f.fs.change("fdatasync", f.path, f.File.SyncData)
}

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.change("sync", f.path, func() error {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Close closes the file also when the spool has failed.
func (f *guardFile) Close() error {
	if err := f.File.Close(); err != nil {
		return f.fs.change("close", f.path, func() error { return err })
	}
	return nil
}
