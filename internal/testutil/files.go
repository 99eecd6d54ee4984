package testutil

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Files is the content of all files below a directory, by slash-separated path relative to it. Its methods return
// damaged copies, as a failing disk leaves them: with flipped bits, truncated, or without a file.
type Files map[string][]byte

// ReadFiles reads all files below dir.
func ReadFiles(dir string) (Files, error) {
	f := Files{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		f[filepath.ToSlash(relative)] = data
		return err
	})
	return f, err
}

// KilledFiles returns the files below dir as a kill of the program that has them open would leave them. Because the
// program may write and remove some meanwhile, it reads until two readings agree.
func KilledFiles(t testing.TB, dir string) (f Files) {
	t.Helper()
	var before Files
	Eventually(t, func() (err error) {
		before = f
		if f, err = ReadFiles(dir); err == nil && !maps.EqualFunc(f, before, bytes.Equal) {
			err = errors.New("the files change")
		}
		return err
	})
	return f
}

// Store writes all files below dir, which must not exist.
func (f Files) Store(dir string) error {
	for name, data := range f {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Names returns the sorted names of all files.
func (f Files) Names() []string { return slices.Sorted(maps.Keys(f)) }

var number = regexp.MustCompile(`[0-9]+`)

// FileKind returns a file's name with its numbers replaced: "db/#.sst", "db/MANIFEST-#".
func FileKind(name string) string {
	return path.Join(path.Dir(name), number.ReplaceAllString(path.Base(name), "#"))
}

// Flip returns a copy with one bit of a file flipped.
func (f Files) Flip(name string, bit int) Files {
	data := slices.Clone(f[name])
	data[bit/8] ^= 1 << (bit % 8)
	return f.With(name, data)
}

// Cut returns a copy in which a file ends after size bytes.
func (f Files) Cut(name string, size int) Files { return f.With(name, f[name][:size]) }

// Remove returns a copy without a file.
func (f Files) Remove(name string) Files {
	without := maps.Clone(f)
	delete(without, name)
	return without
}

// With returns a copy in which a file has another content.
func (f Files) With(name string, data []byte) Files {
	changed := maps.Clone(f)
	changed[name] = data
	return changed
}
