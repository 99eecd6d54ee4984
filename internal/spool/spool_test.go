package spool

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestRecordsComeOutOnceInOrder(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	want := numbered(1, 250)
	appendAll(t, s, want[:120]...)
	got := drain(t, s)
	appendAll(t, s, want[120:]...)
	s = reopen(t, s)
	got = append(got, drain(t, s)...)
	if !slices.Equal(got, want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
	if st := s.Stat(); st.Appended != 250 || st.Acked != 250 || st.Bytes != 0 || !st.Oldest.IsZero() {
		t.Fatalf("stat %+v", st)
	}
}

func TestBatchIsTheSameUntilAcked(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, numbered(1, 10)...)
	b := next(t, s, soon(4))
	appendAll(t, s, numbered(11, 20)...)
	for range 2 {
		again := next(t, s, soon(100))
		if !again.Repeated || again.Token() != b.Token() || !slices.Equal(texts(again), texts(b)) {
			t.Fatalf("got %s, want %s", again.Token(), b.Token())
		}
		s = reopen(t, s)
	}
	if b.Token() != s.ID()+"-1-4" {
		t.Fatalf("got the token %s", b.Token())
	}
	ack(t, s, b)
	wantErr(t, s.Ack(b), ErrStale)
	if got := next(t, s, soon(2)); got.First != 5 || got.Last != 6 {
		t.Fatalf("got the batch %s", got.Token())
	}
}

// TestMark verifies that a mark set with an ack is returned with the next batch, across restarts and crashes, also if
// that batch is shortened, and with salvaged records.
func TestMark(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, numbered(1, 10)...)
	b := next(t, s, soon(2))
	if b.Mark != 0 {
		t.Errorf("the first batch has mark %d", b.Mark)
	}
	b.Mark = 1 << 63
	ack(t, s, b)
	for range 2 {
		whole := next(t, s, soon(4))
		half, err := s.Shrink(whole, 4)
		if err != nil || whole.Mark != 1<<63 || half.Mark != 1<<63 {
			t.Errorf("marks %d and %d, %v", whole.Mark, half.Mark, err)
		}
		s = reopen(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	removeAll(t, s.dir, dbName, "MANIFEST-*")
	s = open(t, s.dir, options(vfs.Default))
	if got := next(t, s, soon(8)); !got.Salvaged || got.Mark != 1<<63 {
		t.Errorf("salvaged: %+v", got)
	}
}

func TestShrink(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, numbered(1, 8)...)
	whole := next(t, s, soon(8))
	half, err := s.Shrink(whole, 4)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(texts(half), numbered(1, 4)) || half.Token() == whole.Token() {
		t.Fatalf("shrunk to batch %s with %q", half.Token(), texts(half))
	}
	_, err = s.Shrink(whole, 2)
	wantErr(t, err, ErrStale)
	wantErr(t, s.Ack(whole), ErrStale)
	for _, n := range []int{0, 5} {
		if _, err := s.Shrink(half, n); err == nil {
			t.Fatal("shrunk to", n)
		}
	}
	s = reopen(t, s)
	if got := next(t, s, soon(8)); got.Token() != half.Token() {
		t.Fatalf("got the batch %s, want %s", got.Token(), half.Token())
	}
	ack(t, s, half)
	if got := drain(t, s); !slices.Equal(got, numbered(5, 8)) {
		t.Fatalf("got the records %q", got)
	}
}

func TestLimits(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, "aaaa", "bbbb", strings.Repeat("c", 100), "d", strings.Repeat("e", 1<<20))
	for i, c := range []struct {
		limits Limits
		want   int
	}{
		{Limits{Records: 1, Bytes: 1000}, 1},
		{Limits{Records: 9, Bytes: 50}, 1},       // c does not fit
		{Limits{Records: 9, Bytes: 50}, 1},       // c alone exceeds the limit and is returned
		{Limits{Records: 2, Bytes: 10 << 20}, 2}, // d and the large record
	} {
		b := next(t, s, c.limits)
		if len(b.Records) != c.want {
			t.Fatalf("%d: %d records, want %d", i, len(b.Records), c.want)
		}
		ack(t, s, b)
	}
	if _, err := s.Next(t.Context(), Limits{}); err == nil {
		t.Fatal("no limits were accepted")
	}
}

func TestNextWaitsForTheLimits(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	got := make(chan Batch)
	take := func(l Limits) {
		go func() {
			b, err := s.Next(context.Background(), l)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
	}
	for name, c := range map[string]struct {
		limits  Limits
		records []string
	}{
		"records": {Limits{Records: 3, Bytes: 1 << 20, Age: time.Hour}, []string{"a", "b", "c"}},
		"bytes":   {Limits{Records: 99, Bytes: 8, Age: time.Hour}, []string{"aaaa", "bbbb"}},
		"age":     {Limits{Records: 99, Bytes: 1 << 20, Age: 20 * time.Millisecond}, []string{"a"}},
	} {
		take(c.limits)
		last := len(c.records) - 1
		appendAll(t, s, c.records[:last]...)
		select {
		case b := <-got:
			t.Fatalf("%s: too early: %q", name, b.Records)
		default:
		}
		start := time.Now()
		appendAll(t, s, c.records[last:]...)
		b := <-got
		if !slices.Equal(texts(b), c.records) {
			t.Fatalf("%s: %q", name, b.Records)
		}
		if name == "age" && time.Since(start) < c.limits.Age {
			t.Fatal("did not wait")
		}
		ack(t, s, b)
	}
}

func TestClockSetBack(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, "a")
	s.now = func() time.Time { return time.Now().Add(-time.Hour) }
	next(t, s, Limits{Records: 9, Bytes: 99, Age: 10 * time.Millisecond})
}

func TestContextEndsWaiting(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Next(ctx, DefaultLimits())
	wantErr(t, err, context.Canceled)
}

func TestOldest(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	before := time.Now()
	appendAll(t, s, "a")
	between := time.Now()
	appendAll(t, s, "b")
	s = reopen(t, s)
	if at := s.Stat().Oldest; at.Before(before) || at.After(between) {
		t.Fatalf("oldest record at %s, want between %s and %s", at, before, between)
	}
	b := next(t, s, soon(1))
	if at := b.Appended; at.Before(before) || at.After(between) {
		t.Fatalf("oldest record of the batch at %s, want between %s and %s", at, before, between)
	}
	ack(t, s, b)
	if at := s.Stat().Oldest; at.Before(between) {
		t.Fatalf("oldest record at %s, want after %s", at, between)
	}
}

func TestRecordTooLarge(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	wantErr(t, s.Append(t.Context(), make([]byte, MaxRecord+1)), ErrTooLarge)
	if err := s.Append(t.Context(), make([]byte, MaxRecord)); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	if b := next(t, s, soon(1)); len(b.Records[0]) != MaxRecord {
		t.Fatalf("got a record of %d bytes, want %d", len(b.Records[0]), MaxRecord)
	}
}

func TestLocked(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	_, err := Open(s.dir, s.opts)
	wantErr(t, err, ErrLocked)
	if !strings.Contains(err.Error(), s.dir) {
		t.Fatal("the directory is not named: ", err)
	}
	_, err = Inspect(s.dir)
	wantErr(t, err, ErrLocked)
}

func TestOpenCreatesParents(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a", "b"), options(vfs.Default))
	appendAll(t, s, "a")
}

func TestClose(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	waiting := make(chan error)
	go func() {
		_, err := s.Next(context.Background(), DefaultLimits())
		waiting <- err
	}()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, <-waiting, ErrClosed)
	wantErr(t, s.Append(t.Context(), nil), ErrClosed)
	wantErr(t, s.Ready(), ErrClosed)
	wantErr(t, s.replace(t.Context(), state{}), ErrClosed)
	_, err := s.Next(t.Context(), DefaultLimits())
	wantErr(t, err, ErrClosed)
	s.Stat()
}

// TestConcurrency appends from many goroutines while one drains, and closes the spool meanwhile: all acknowledged
// records must be returned, in the order of each appender.
func TestConcurrency(t *testing.T) {
	const appenders, each = 50, 200
	s := open(t, t.TempDir(), options(vfs.Default))
	var acked [appenders]int
	var group sync.WaitGroup
	for a := range appenders {
		group.Go(func() {
			for i := range each {
				if err := s.Append(t.Context(), fmt.Appendf(nil, "%d %d", a, i)); err != nil {
					wantErrAsync(t, err, ErrClosed)
					return
				}
				acked[a]++
			}
		})
	}
	var got []string
	for len(got) < appenders*each/2 {
		b := next(t, s, Limits{Records: 100, Bytes: 1 << 20, Age: time.Millisecond})
		got = append(got, texts(b)...)
		ack(t, s, b)
		s.Stat()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	s = open(t, s.dir, s.opts)
	got = append(got, drain(t, s)...)

	var seen [appenders]int
	for _, r := range got {
		var a, i int
		fmt.Sscan(r, &a, &i)
		if i != seen[a] {
			t.Fatalf("appender %d: got record %d at place %d", a, i, seen[a])
		}
		seen[a]++
	}
	for a := range appenders {
		if seen[a] < acked[a] {
			t.Fatalf("appender %d: got %d of %d acknowledged records", a, seen[a], acked[a])
		}
	}
}

func wantErrAsync(t testing.TB, err, want error) {
	if err != nil && !strings.Contains(err.Error(), want.Error()) {
		t.Errorf("error is %v, want %v", err, want)
	}
}
