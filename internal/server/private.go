package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// keepPrivate denies other users access to hooktape's files in the data directory. It changes the mode of existing
// files, which an older version left readable, and sets the umask for new ones, which the embedded engine inherits. It
// does not change the mode of the data directory itself, because other programs may use it.
func (p *process) keepPrivate() error {
	syscall.Umask(0o077)
	for _, path := range p.File.Data.Private() {
		root, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = p.closeToOthers(root)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// closeToOthers removes the permissions of group and others from a file, or from a directory and everything below it.
func (p *process) closeToOthers(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the engine of a killed process may still be ending
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !d.IsDir() && !d.Type().IsRegular() || info.Mode().Perm()&0o077 == 0 {
			return nil
		}
		err = os.Chmod(path, info.Mode().Perm()&^0o077)
		if errors.Is(err, fs.ErrPermission) { // the file belongs to another user
			p.Logger.Warn("other users can read this file; change its mode, hooktape does not own it", "path", path,
				"mode", info.Mode().Perm().String())
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
