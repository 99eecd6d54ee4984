package spool

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hooktape/internal/testutil"
)

func noteOf(n int, value string) Note {
	note := Note{ID: [16]byte{15: byte(n)}}
	if value != "" {
		note.Value = []byte(value)
	}
	return note
}

func notes(t testing.TB, s *Spool) (list []string) {
	t.Helper()
	all, err := s.Notes()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		list = append(list, fmt.Sprintf("%d %s", n.ID[15], n.Value))
	}
	return list
}

// TestNotes: a note is on disk with the record that brought it, in one commit, until another record removes it. It
// outlives the ack of its record, a kill, a salvage, and compactions.
func TestNotes(t *testing.T) {
	o := options(vfs.Default)
	commits := 0
	o.OnCommit = func(Commit) { commits++ }
	s := open(t, t.TempDir(), o)
	add := func(record string, notes ...Note) {
		t.Helper()
		if err := s.Append(context.Background(), []byte(record), notes...); err != nil {
			t.Fatal(err)
		}
	}
	want := func(list ...string) {
		t.Helper()
		if got := notes(t, s); !slices.Equal(got, list) {
			t.Errorf("notes are %q, want %q", got, list)
		}
	}
	add("a", noteOf(1, "one"))
	add("b", noteOf(2, "two"), noteOf(3, "three"))
	add("c", noteOf(2, ""))
	if commits != 3 {
		t.Errorf("%d commits for 3 records", commits)
	}
	if got := drain(t, s); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("out came %q", got)
	}
	want("1 one", "3 three")
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	add("d", noteOf(4, "four"), noteOf(1, ""))
	killed := testutil.KilledFiles(t, s.dir)
	s = reopen(t, s)
	want("3 three", "4 four")

	dir := t.TempDir()
	if err := killed.Store(dir); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, o)
	want("3 three", "4 four")
	if err := s.db.Compact(t.Context(), recordKey(0), []byte{notePrefix + 1}, false); err != nil {
		t.Fatal(err)
	}
	want("3 three", "4 four")

	dir = t.TempDir()
	damaged := killed.Remove(lastOf(t, killed, "db/MANIFEST-#"))
	if err := damaged.Store(dir); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, o)
	if len(s.Stat().Damaged) != 1 {
		t.Error("nothing was salvaged")
	}
	want("3 three", "4 four")
	if got := drain(t, s); got[len(got)-1] != "d" {
		t.Errorf("salvaged: %q", got)
	}
}

// lastOf returns the newest file of a kind.
func lastOf(t *testing.T, files testutil.Files, kind string) (last string) {
	t.Helper()
	for _, name := range files.Names() {
		if testutil.FileKind(filepath.ToSlash(name)) == kind {
			last = name
		}
	}
	if last == "" {
		t.Fatalf("no %s among %v", kind, files.Names())
	}
	return last
}
