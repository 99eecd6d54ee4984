package spool

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
	"golang.org/x/time/rate"
)

// guardFS is the file system that Pebble uses. It changes what Pebble sees of an error:
//
//   - The first write that fails fails the spool and freezes the disk: Pebble's later writes go nowhere and succeed.
//     The disk then looks as if the process had died at the first error, a state that Open handles. Pebble must not
//     see the error: on some it panics with its locks half held, which ends the process, and others it repeats without
//     end. The spool sees the failure instead, before it acknowledges anything.
//   - A table that finds no space on the disk gets the error: Pebble writes it again until it succeeds.
//   - A file that cannot be opened because all descriptors are in use is opened later: see insist.
//
// It also writes the tail of the database for each new log.
type guardFS struct {
	vfs.FS
	s  *Spool
	at func() position // the position for a new tail
}

// How Pebble names files.
const (
	tableSuffix  = ".sst"
	markerPrefix = "marker."
)

// Create creates a file. A marker names another file, and Pebble syncs the directory once for both. After a power cut
// either of two unsynced names may be missing, so the directory is synced before the marker is created.
func (g guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open("create", name, func() (vfs.File, error) {
		if strings.HasPrefix(g.PathBase(name), markerPrefix) {
			if err := syncDir(g.FS, g.PathDir(name)); err != nil {
				return nil, err
			}
		}
		return g.FS.Create(name, c)
	})
}

// ReuseForWrite creates a new file where Pebble would overwrite an old log. The bytes of an old log may lie behind the
// end of an unclosed new one, where a start searches for commits, and senders chose what old records contain.
func (g guardFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open("create", to, func() (vfs.File, error) {
		// A second try, after one without descriptors, finds it removed.
		if err := g.FS.Remove(from); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return g.FS.Create(to, c)
	})
}

func (g guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.open("open", name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

func (g guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.insist(func() (vfs.File, error) { return g.FS.OpenDir(name) })
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, fs: g, path: name}, nil
}

func (g guardFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return g.insist(func() (vfs.File, error) { return g.FS.Open(name, o...) })
}

func (g guardFS) open(op, name string, open func() (vfs.File, error)) (vfs.File, error) {
	f := &guardFile{fs: g, path: name}
	err := g.change(op, name, func() (err error) {
		f.File, err = g.insist(open)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.File == nil { // the spool has failed
		f.File = vfs.NewMemFile(nil)
	}
	if number, _, isLog := wal.ParseLogFilename(g.PathBase(name)); isLog && op == "create" {
		g.logCreated(g.PathDir(name), uint64(number))
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

// change calls do, which changes the disk, unless the spool has failed. If do fails, the spool fails.
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
	// While the spool is being opened, an operation cannot wait for space.
	if isNoSpace(err) && strings.HasSuffix(path, tableSuffix) && g.s.running.Load() {
		g.s.disk.refused(g.s.now(), err)
		return err
	}
	_ = g.s.fail(err)
	return nil
}

// logCreated writes the tail for a new log. While the spool runs it does so in the background, and no commit waits for
// it.
func (g guardFS) logCreated(db string, log uint64) {
	pos := g.at()
	t := tail{log: log, last: pos.last, acked: pos.acked, id: pos.id}
	if g.s.running.Load() {
		g.s.tails.writing.Go(func() { g.writeTail(db, t) })
	} else {
		g.writeTail(db, t)
	}
}

// writeTail replaces the tail of a database, unless a later one has been written. It first makes the log's name
// durable. An error fails the spool.
func (g guardFS) writeTail(db string, t tail) {
	g.s.tails.mu.Lock()
	defer g.s.tails.mu.Unlock()
	if t.log < g.s.tails.newest {
		return
	}
	g.s.tails.newest = t.log
	if err := syncDir(g, db); err == nil {
		_ = writeTail(g, db, t)
	}
}

// tails orders the writing of tails.
type tails struct {
	writing sync.WaitGroup
	mu      sync.Mutex
	newest  uint64 // log of the last tail
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

// Close also closes the file of a failed spool.
func (f *guardFile) Close() error {
	if err := f.File.Close(); err != nil {
		return f.fs.change("close", f.path, func() error { return err })
	}
	return nil
}

const openPause = 50 * time.Millisecond

// insist calls open until it succeeds or fails permanently. While all descriptors are in use it releases those of the
// reserve, and then waits: nothing was written yet, and Pebble would take the refusal for a failed disk. It does not
// wait while the spool is being opened or closed.
func (g guardFS) insist(open func() (vfs.File, error)) (vfs.File, error) {
	if !g.s.running.Load() {
		return open()
	}
	g.s.reserve.fill()
	for {
		f, err := open()
		if !isTransient(err) {
			return f, err
		}
		if g.s.reserve.release() {
			continue
		}
		g.s.disk.refused(g.s.now(), err)
		g.s.starved.Do(func() {
			g.s.log.Error("spool: no file can be opened; nothing is accepted until one can", "path", g.s.dir, "error",
				err)
		})
		select {
		case <-time.After(openPause):
		case <-g.s.closing:
			return nil, err
		}
	}
}

// reserve holds descriptors for the time when no others are left.
type reserve struct {
	mu     sync.Mutex
	closed bool
	files  []*os.File
}

// reserveSize covers a new log, its tail and a flushed table, twice.
const reserveSize = 8

// fill opens the missing descriptors, as far as it can.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.files) < reserveSize && !r.closed {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		r.files = append(r.files, f)
	}
}

// release closes a descriptor, and reports whether there was one.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.files) - 1
	if n < 0 {
		return false
	}
	_ = r.files[n].Close()
	r.files = r.files[:n]
	return true
}

// close closes all descriptors, for good.
func (r *reserve) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for r.release() {
	}
}

// onceAMinute limits a log line.
func onceAMinute() rate.Sometimes { return rate.Sometimes{First: 1, Interval: time.Minute} }
