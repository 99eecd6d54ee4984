package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hooktape/internal/spool"
)

// TestDataIsPrivate: whatever the umask and whatever an older version has left there, nobody else can read what hooktape keeps.
func TestDataIsPrivate(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "")
	writeConfig(t, i)
	old, err := spool.Open(filepath.Join(i.dir, "spool", "events"), spool.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(i.dir, "autocert"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.dir, "autocert", "acme_account+key"), []byte("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	openToAll := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if d.IsDir() {
			mode = 0o755
		}
		return os.Chmod(path, mode)
	}
	if err := filepath.WalkDir(i.dir, openToAll); err != nil {
		t.Fatal(err)
	}
	i.startReady("serve")
	i.post(i.hookURL()+"/start", []byte(`{"user_id":1}`))
	seen := 0
	err = filepath.WalkDir(i.dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || path == i.dir || d.Type()&fs.ModeSymlink != 0 {
			return nil // the engine works; a link has no mode
		}
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		seen++
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d files seen, %v", seen, err)
	}
	i.stop()
}
