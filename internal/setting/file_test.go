package setting_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hooktape/internal/setting"
)

// TestReadWaitsForTheWriter writes a file in pieces, slower than a reader reads, and verifies that the reader never
// gets a part of it.
func TestReadWaitsForTheWriter(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	old := time.Now().Add(-time.Hour)
	for _, path := range []string{cert, key} {
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if texts, _, err := setting.ReadFiles(cert, key); err != nil || string(texts[0])+string(texts[1]) != "oldold" {
		t.Fatalf("%s %v", texts, err)
	}
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for n, path := range []string{cert, key} {
			file, failed := os.Create(path)
			err = errors.Join(err, failed)
			if n == 0 {
				close(begun)
			}
			for range 20 {
				_, failed := file.WriteString("piece ")
				err = errors.Join(err, failed)
				time.Sleep(setting.Quiet / 20)
			}
			err = errors.Join(err, file.Close())
		}
		done <- err
	}()
	<-begun
	texts, stamp, err := setting.ReadFiles(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("piece ", 20)
	if string(texts[0]) != want || string(texts[1]) != want || stamp != setting.StampOf(cert) {
		t.Errorf("read %q and %q", texts[0], texts[1])
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReadOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, _, err := setting.ReadFiles(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if setting.StampOf(path) != (setting.Stamp{}) {
		t.Error("a missing file has a stamp")
	}
}
