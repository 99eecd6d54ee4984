package spool

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestInspect(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	appendAll(t, s, numbered(1, 30)...)
	ack(t, s, next(t, s, soon(10)))
	want := s.Stat()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // inspecting changes nothing
		i, err := Inspect(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.Stat(); got.Records != 20 || got.Bytes != want.Bytes || !got.Oldest.Equal(want.Oldest) ||
			i.ID() != s.ID() {
			t.Fatalf("%+v, want %+v", got, want)
		}
		var got []string
		for r, err := range i.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Seq != uint64(11+len(got)) || r.Appended.IsZero() {
				t.Fatalf("got the record %+v", r)
			}
			got = append(got, string(r.Data))
		}
		if !slices.Equal(got, numbered(11, 30)) {
			t.Fatalf("got the records %q", got)
		}
		if _, err := Open(s.dir, s.opts); !errors.Is(err, ErrLocked) {
			t.Fatal(err)
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := drain(t, open(t, s.dir, s.opts)); len(got) != 20 {
		t.Fatalf("got %d records after inspecting, want 20", len(got))
	}
}

func TestInspectMissingSpool(t *testing.T) {
	dir := t.TempDir()
	_, err := Inspect(dir)
	wantErr(t, err, os.ErrNotExist)
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Fatal("Inspect created files: ", names)
	}
}
