package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The engine's users.
const (
	Writer = "default" // reads and writes
	Reader = "reader"  // only reads
)

// The files of their passwords, in hooktape's data directory.
const (
	WriterPasswordFile = "embedded-password"
	ReaderPasswordFile = "embedded-reader-password"
)

// ReadPassword returns the password in the file.
func ReadPassword(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the embedded engine's password: %w", err)
	}
	password := strings.TrimSpace(string(text))
	if password == "" {
		return "", fmt.Errorf("read the embedded engine's password: %s is empty; remove it, and the next start "+
			"writes a new one", file)
	}
	return password, nil
}

// EnsurePassword returns the password in the file. If there is no file, it creates one with a random password that only
// its owner can read. All processes that do so at the same time return the same password.
func EnsurePassword(file string) (string, error) {
	password, err := ReadPassword(file)
	if !errors.Is(err, os.ErrNotExist) {
		return password, err
	}
	if err := createPassword(file); err != nil {
		return "", fmt.Errorf("create a password for the embedded engine: %w", err)
	}
	return ReadPassword(file)
}

// createPassword writes a new password beside the file and links it there: the file is complete whenever it exists.
func createPassword(file string) error {
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
