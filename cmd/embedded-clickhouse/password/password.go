// Package password keeps the passwords of the embedded engine's users in files, which hooktape's programs share.
package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The users of the embedded engine, as its clients name them.
const (
	Writer = "default"
	Reader = "reader"
)

// The files of their passwords, in hooktape's data directory.
const (
	WriterFile = "embedded-password"
	ReaderFile = "embedded-reader-password"
)

// Read returns the password in the file.
func Read(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the embedded engine's password: %w", err)
	}
	password := strings.TrimSpace(string(text))
	if password == "" {
		return "", fmt.Errorf("read the embedded engine's password: %s is empty; remove it, and the next start writes a new one", file)
	}
	return password, nil
}

// Ensure returns the password in the file. Where there is no file, it creates one with a random password that only its
// owner can read. Of several processes that do so at once, all return the same.
func Ensure(file string) (string, error) {
	password, err := Read(file)
	if !errors.Is(err, os.ErrNotExist) {
		return password, err
	}
	if err := create(file); err != nil {
		return "", fmt.Errorf("create a password for the embedded engine: %w", err)
	}
	return Read(file)
}

// create writes a new password beside the file and links it there, so that the file is whole whenever it exists.
func create(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	whole, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(whole.Name())
	_, err = whole.WriteString(rand.Text() + "\n")
	if err := errors.Join(err, whole.Sync(), whole.Close()); err != nil {
		return err
	}
	if err := os.Link(whole.Name(), file); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
