package spool

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// transient lists the errors of opening a file that pass by themselves. They
// say nothing about the disk: nothing was written yet.
var transient = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR}

func isTransient(err error) bool {
	for _, e := range transient {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// patientFS opens files however many descriptors others hold: while the spool
// runs it gives descriptors of its reserve up, and then waits. Pebble would
// take the refusal for a disk that has failed.
type patientFS struct {
	vfs.FS
	s *Spool
}

func (p patientFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return p.insist(func() (vfs.File, error) { return p.FS.Create(name, c) })
}

func (p patientFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return p.insist(func() (vfs.File, error) { return p.FS.OpenReadWrite(name, c, o...) })
}

func (p patientFS) OpenDir(name string) (vfs.File, error) {
	return p.insist(func() (vfs.File, error) { return p.FS.OpenDir(name) })
}

func (p patientFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return p.insist(func() (vfs.File, error) { return p.FS.Open(name, o...) })
}

func (p patientFS) Unwrap() vfs.FS { return p.FS }

const openPause = 50 * time.Millisecond

// insist calls open until it succeeds or fails for good. It does not wait
// while the spool is being opened or closed.
func (p patientFS) insist(open func() (vfs.File, error)) (vfs.File, error) {
	if !p.s.running.Load() {
		return open()
	}
	p.s.reserve.fill()
	for {
		f, err := open()
		if !isTransient(err) {
			return f, err
		}
		if p.s.reserve.release() {
			continue
		}
		p.s.disk.refused(p.s.now(), err)
		p.s.starved.Do(func() {
			p.s.log.Error("spool: no file can be opened; nothing is accepted until one can", "path", p.s.dir, "error", err)
		})
		select {
		case <-time.After(openPause):
		case <-p.s.closing:
			return nil, err
		}
	}
}

// reserve holds descriptors for when there are no others.
type reserve struct {
	mu    sync.Mutex
	size  int
	files []*os.File
}

// reserveSize covers a new log, its tail and a flushed table, twice.
const reserveSize = 8

// fill takes as many descriptors as are missing, if there are any.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.files) < r.size {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		r.files = append(r.files, f)
	}
}

// release gives a descriptor up, and reports whether there was one.
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

// close gives all descriptors up.
func (r *reserve) close() {
	r.mu.Lock()
	r.size = 0
	r.mu.Unlock()
	for r.release() {
	}
}
