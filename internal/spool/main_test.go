package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"hooktape/internal/testutil"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// options returns the options of a test: no log, and no minimum of free space.
func options(fs vfs.FS) Options {
	o := DefaultOptions()
	o.FS, o.MinFree = fs, 0
	o.memTable = 512 << 10 // a large memtable costs a second at each start with the race detector
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func open(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reopen(t testing.TB, s *Spool) *Spool {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.dir, s.opts)
}

func appendAll(t testing.TB, s *Spool, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := s.Append(context.Background(), []byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// appendTogether appends many records in order with few commits.
func appendTogether(t testing.TB, s *Spool, records ...string) {
	t.Helper()
	requests := make([]*request, len(records))
	for i, r := range records {
		requests[i] = &request{record: []byte(r), done: make(chan error, 1)}
		s.queue <- requests[i]
	}
	for _, r := range requests {
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(from, to int) (records []string) {
	for i := from; i <= to; i++ {
		records = append(records, fmt.Sprintf("record %04d", i))
	}
	return records
}

// soon returns limits that take the waiting records without waiting for more.
func soon(records int) Limits { return Limits{Records: records, Bytes: 1 << 30} }

func next(t testing.TB, s *Spool, l Limits) Batch {
	t.Helper()
	b, err := s.Next(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ack(t testing.TB, s *Spool, b Batch) {
	t.Helper()
	if err := s.Ack(b); err != nil {
		t.Fatal(err)
	}
}

func texts(b Batch) (records []string) {
	for _, r := range b.Records {
		records = append(records, string(r))
	}
	return records
}

// drain takes and acks all waiting records.
func drain(t testing.TB, s *Spool) (records []string) {
	t.Helper()
	for s.Stat().Records > 0 {
		b := next(t, s, soon(100))
		records = append(records, texts(b)...)
		ack(t, s, b)
	}
	return records
}

// eventually waits for a condition that depends on Pebble's background work.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	testutil.Eventually(t, func() error {
		if !done() {
			return errors.New("not yet: " + what)
		}
		return nil
	})
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}
