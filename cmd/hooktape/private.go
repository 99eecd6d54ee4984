package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// privateNames are what lies in a data directory.
var privateNames = []string{"spool", "autocert", "clickhouse", "hooktape.yaml"}

// keepPrivate has nobody but this user read what hooktape keeps in the data directory: what is there already, from a version
// or with a umask that let others in, and what this process and the embedded engine will make. The directory itself may be
// one that others use too; it stays as it is.
func (p *process) keepPrivate() error {
	syscall.Umask(0o077)
	for _, name := range privateNames {
		root, err := filepath.EvalSymlinks(filepath.Join(p.cli.Data, name))
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

// closeToOthers takes the permissions of group and others away from a file, or from a directory and all that is in it.
func (p *process) closeToOthers(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the engine of a process that was killed may still end
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !d.IsDir() && !d.Type().IsRegular() || info.Mode().Perm()&0o077 == 0 {
			return nil
		}
		err = os.Chmod(path, info.Mode().Perm()&^0o077)
		if errors.Is(err, fs.ErrPermission) { // somebody else's, who may have reasons
			p.log.Warn("others on this machine can read a file of hooktape, which is not ours to change", "path", path, "mode", info.Mode().Perm().String())
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
