package spool

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
)

const testLog = 7 // number of the log

// closer writes a log to memory.
type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }
func (*closer) Sync() error  { return nil }

// writeLog writes commits as Pebble does and returns the log and the offsets at which they begin.
func writeLog(t testing.TB, offsets bool, commits [][]byte) (log []byte, begin []int) {
	t.Helper()
	var buf closer
	w := record.NewLogWriter(&buf, testLog, record.LogWriterConfig{
		WriteWALSyncOffsets: func() bool { return offsets },
	})
	for _, c := range commits {
		begin = append(begin, int(w.Size()))
		if _, err := w.WriteRecord(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), begin
}

func readAllOf(log []byte) (commits []string, damage int64, err error) { return readAll(log, false) }

func readAll(log []byte, closed bool) (commits []string, damage int64, err error) {
	damage, err = readLog(bytes.NewReader(log), testLog, closed, nil, func(c []byte) error {
		commits = append(commits, string(c))
		return nil
	})
	return commits, damage, err
}

// testCommits returns small commits, commits over several blocks, and commits that end exactly at a block's end.
func testCommits() (commits [][]byte, want []string) {
	for i, size := range []int{1, 100, logBlock - 130, 7, 3 * logBlock, logBlock - 19, 0, 20_000, 20_000, 500, 500} {
		c := bytes.Repeat([]byte{byte('a' + i)}, size)
		commits = append(commits, c)
		want = append(want, string(c))
	}
	return commits, want
}

func TestReadLog(t *testing.T) {
	commits, want := testCommits()
	for _, offsets := range []bool{false, true} {
		log, _ := writeLog(t, offsets, commits)
		for _, tail := range [][]byte{nil, make([]byte, 100_000), bytes.Repeat([]byte("x"), 100_000)} {
			got, damage, err := readAll(append(slices.Clone(log), tail...), true)
			if err != nil || damage >= 0 || !slices.Equal(got, want) {
				t.Fatalf("offsets %v: %d commits, damage at %d, %v", offsets, len(got), damage, err)
			}
		}
	}
}

// TestReadLogIgnoresOlderLogs reads a reused file that has only commits of its previous use.
func TestReadLogIgnoresOlderLogs(t *testing.T) {
	commits, _ := testCommits()
	log, _ := writeLog(t, true, commits)
	damage, err := readLog(bytes.NewReader(log), testLog+1, false, nil, func([]byte) error {
		return errors.New("got a commit of another log")
	})
	if damage >= 0 || err != nil {
		t.Fatal(damage, err)
	}
}

// TestReadLogDistinguishesDamageFromEnd flips many bytes, one at a time. With commits after it that is damage; a log
// that just ends is not damaged.
func TestReadLogDistinguishesDamageFromEnd(t *testing.T) {
	commits, want := testCommits()
	log, begin := writeLog(t, true, commits)
	lastBegin := begin[len(begin)-1]
	open := log[:len(log)-chunkHeader] // without an end, because the process died
	for at := 0; at < len(open); at += 1009 {
		bad := slices.Clone(open)
		bad[at] ^= 0x10
		got, damage, err := readAllOf(bad)
		if err != nil {
			t.Fatal(err)
		}
		if at < lastBegin && damage < 0 {
			t.Fatalf("damage at %d was read as the end", at)
		}
		if at >= lastBegin && damage >= 0 {
			t.Fatalf("a torn last commit was read as damage at %d", at)
		}
		if len(got) < len(want)-1 {
			t.Fatalf("damage at %d cost %d commits", at, len(want)-len(got))
		}

		bad = slices.Clone(log)
		bad[at] ^= 0x10
		if _, damage, _ = readAll(bad, true); damage < 0 {
			t.Fatalf("damage at %d of a closed log was not found", at)
		}
		if _, damage, _ = readAll(log[:at], true); damage < 0 {
			t.Fatalf("a closed log truncated at %d was read as complete", at)
		}
		if _, damage, _ = readAllOf(open[:at]); damage >= 0 {
			t.Fatalf("a log torn at %d was read as damage at %d", at, damage)
		}
	}
}

// TestReadLogToleratesLostBlocks loses any blocks of the last commit, as a power cut may, and verifies that no earlier
// commit is lost.
func TestReadLogToleratesLostBlocks(t *testing.T) {
	log, begin := writeLog(t, true, [][]byte{make([]byte, 50_000), bytes.Repeat([]byte("x"), 5*logBlock)})
	log = log[:len(log)-chunkHeader]
	for lost := range 1 << 6 {
		bad := slices.Clone(log)
		for block := range 6 {
			from := max(begin[1], (begin[1]/logBlock+block)*logBlock)
			to := min(len(bad), (begin[1]/logBlock+block+1)*logBlock)
			if lost&(1<<block) != 0 && from < to {
				clear(bad[from:to])
			}
		}
		got, damage, err := readAllOf(bad)
		if err != nil || damage >= 0 || len(got) < 1 {
			t.Fatalf("lost %b: %d commits, damage at %d, %v", lost, len(got), damage, err)
		}
	}
}

// TestReadLogSearchesNoEnd tears the first commit of a reused file. Its old bytes contain a state that looks like the
// log's end.
func TestReadLogSearchesNoEnd(t *testing.T) {
	log, _ := writeLog(t, true, [][]byte{[]byte("torn"), []byte("whole")})
	old := append(make([]byte, 100), state{acked: 1<<8 + testLog + 1}.encode()...)
	if _, damage, err := readAllOf(old); err != nil || damage >= 0 {
		t.Fatalf("a torn first commit was read as damage at %d, %v", damage, err)
	}
	log[chunkHeaderOff] ^= 1
	if got, damage, err := readAllOf(append(old, log...)); err != nil || damage < 0 || len(got) != 1 {
		t.Fatalf("the commits after it were not found: %q, damage at %d, %v", got, damage, err)
	}
}
func TestReadLogPassesErrorsOn(t *testing.T) {
	log, _ := writeLog(t, true, [][]byte{[]byte("a")})
	want := errors.New("no")
	_, err := readLog(bytes.NewReader(log), testLog, false, nil, func([]byte) error { return want })
	wantErr(t, err, want)
	_, err = readLog(io.MultiReader(strings.NewReader(string(log)), failingReader{want}), testLog, false, nil,
		func([]byte) error { return nil })
	wantErr(t, err, want)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func FuzzReadLog(f *testing.F) {
	log, _ := writeLog(f, true, [][]byte{[]byte("a"), make([]byte, 100), make([]byte, logBlock)})
	f.Add(log, 10, byte(1))
	f.Fuzz(func(t *testing.T, log []byte, at int, flip byte) {
		if at >= 0 && at < len(log) {
			log[at] ^= flip
		}
		if _, damage, err := readAllOf(log); err != nil || damage > int64(len(log)) {
			t.Fatal(damage, err)
		}
	})
}
