package embedded

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestEnsurePassword verifies that all concurrent callers get the same password, and that only the owner can read its
// file.
func TestEnsurePassword(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(dir, WriterPasswordFile)
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = EnsurePassword(file); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, password := range got {
		if password != got[0] || len(password) < 20 {
			t.Errorf("concurrent callers got the passwords %q, want one", got)
		}
	}
	if again, err := EnsurePassword(file); again != got[0] || err != nil {
		t.Errorf("a later call returned %q, %v", again, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("leftover files: %v", left)
	}
	if other, _ := EnsurePassword(filepath.Join(dir, ReaderPasswordFile)); other == got[0] {
		t.Error("both users have the same password")
	}
}

// TestReadEmpty verifies that an empty password file is an error.
func TestReadEmpty(t *testing.T) {
	file := filepath.Join(t.TempDir(), WriterPasswordFile)
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if password, err := EnsurePassword(file); err == nil {
		t.Errorf("got %q", password)
	}
}
