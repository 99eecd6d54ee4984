package archive_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/archive"
)

// TestPartial verifies that a file appears complete or not at all, replaces no other file, and is readable by its owner
// only.
func TestPartial(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	write := func(end func(*archive.Partial)) {
		t.Helper()
		p, err := archive.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Discard()
		if _, err := p.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the file exists before it is complete")
		}
		end(p)
	}
	write(func(*archive.Partial) {})
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("an abandoned file leaves %v", left)
	}
	write(func(p *archive.Partial) {
		if err := p.Commit(); err != nil {
			t.Fatal(err)
		}
	})
	left, _ := os.ReadDir(dir)
	text, err := os.ReadFile(path)
	if len(left) != 1 || string(text) != "text" || err != nil {
		t.Errorf("after commit: files %v, text %q, error %v", left, text, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v", info.Mode())
	}
	if _, err := archive.Create(path); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("commit over another file: %v", err)
	}
}
