// Package rot damages a copy of a spool's files as a disk does: bits flip, files lose their end or vanish.
package rot

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
)

// Image is the content of each file below a directory, by its path relative to that, with slashes.
type Image map[string][]byte

// Load reads all files below dir.
func Load(dir string) (Image, error) {
	i := Image{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		i[filepath.ToSlash(relative)] = data
		return err
	})
	return i, err
}

// Store writes all files below dir, which must not exist.
func (i Image) Store(dir string) error {
	for name, data := range i {
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

// Names returns the names of all files, in order.
func (i Image) Names() []string { return slices.Sorted(maps.Keys(i)) }

var number = regexp.MustCompile(`[0-9]+`)

// Kind returns what a file is, whatever the numbers in its name: "db/#.sst", "db/MANIFEST-#".
func Kind(name string) string {
	return path.Join(path.Dir(name), number.ReplaceAllString(path.Base(name), "#"))
}

// Flip returns the image with one bit of a file flipped.
func (i Image) Flip(name string, bit int) Image {
	data := slices.Clone(i[name])
	data[bit/8] ^= 1 << (bit % 8)
	return i.With(name, data)
}

// Cut returns the image with all but the first size bytes of a file cut off.
func (i Image) Cut(name string, size int) Image { return i.With(name, i[name][:size]) }

// Remove returns the image without a file.
func (i Image) Remove(name string) Image {
	without := maps.Clone(i)
	delete(without, name)
	return without
}

// With returns the image with another content of a file.
func (i Image) With(name string, data []byte) Image {
	changed := maps.Clone(i)
	changed[name] = data
	return changed
}
