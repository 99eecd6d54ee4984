package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Partial is a file that is written under a temporary name. Only its owner may read it, because it contains personal
// data.
type Partial struct {
	*os.File
	path string
}

// Create creates a file, which must not exist yet.
func Create(path string) (*Partial, error) {
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("%s already exists; remove it, or choose another name", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path+".partial", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Partial{file, path}, nil
}

// Commit syncs the file and gives it its name.
func (p *Partial) Commit() error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// Discard removes the file; after Commit it does nothing.
func (p *Partial) Discard() {
	if p.Close() == nil {
		_ = os.Remove(p.Name())
	}
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
