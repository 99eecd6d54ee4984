package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"hooktape/cmd/embedded-clickhouse/embedded"
)

// resources are acquired before the process is confined, and passed on to its second run.
type resources struct {
	Path, Library            string
	Password, ReaderPassword string
	Temporary                bool // Close removes Path
	Lock, Listener           uintptr

	lock     *os.File
	listener net.Listener
}

// reach is the part of the file system that a confined process can use.
type reach struct {
	data, library string
	// removeIn, if not empty, is a directory in which empty directories may be removed.
	removeIn string
}

// handOver is the environment variable that contains the resources for the second run.
const handOver = "HOOKTAPE_EMBEDDED_HANDOVER"

// acquire locks the data directory, opens the port, and finds the library and the passwords.
func (c *serveCommand) acquire(ctx context.Context) (own *resources, err error) {
	own = &resources{Password: c.Password, ReaderPassword: c.ReaderPassword, Temporary: c.Temporary}
	if own.Path, err = filepath.Abs(c.Path); c.Temporary {
		own.Path, err = os.MkdirTemp("", "embedded-clickhouse-")
	}
	if err != nil {
		return own, err
	}
	if own.lock, err = lockDirectory(ctx, own.Path, lockPatience); err != nil {
		return own, err
	}
	if own.listener, err = c.listen(); err != nil {
		return own, err
	}
	if own.Library, err = c.library(); err != nil {
		return own, err
	}
	return own, own.findPasswords()
}

// findPasswords reads the passwords that are not set from their files, which it creates at the first start.
func (own *resources) findPasswords() error {
	dir := filepath.Dir(own.Path)
	if own.Temporary {
		dir = own.Path
	}
	for _, p := range []struct {
		value *string
		file  string
	}{{&own.Password, embedded.WriterPasswordFile}, {&own.ReaderPassword, embedded.ReaderPasswordFile}} {
		if *p.value == "" {
			var err error
			if *p.value, err = embedded.EnsurePassword(filepath.Join(dir, p.file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reexec starts this program again, confined, with the resources. It returns only if that fails: see becomeConfined.
func (own *resources) reexec() (lacks string, err error) {
	listener, err := own.listener.(*net.TCPListener).File()
	if err != nil {
		return "", err
	}
	defer listener.Close()
	own.Lock, own.Listener = own.lock.Fd(), listener.Fd()
	text, err := json.Marshal(own)
	if err != nil {
		return "", err
	}
	can := reach{data: own.Path, library: own.Library}
	if own.Temporary {
		can.removeIn = filepath.Dir(own.Path)
	}
	return becomeConfined(can, []*os.File{own.lock, listener}, append(os.Environ(), handOver+"="+string(text)))
}

// adopt returns the resources of the first run, or nil in the first run.
func adopt() (*resources, error) {
	text := os.Getenv(handOver)
	if text == "" {
		return nil, nil
	}
	own := new(resources)
	if err := json.Unmarshal([]byte(text), own); err != nil {
		return nil, fmt.Errorf("read %s: %w", handOver, err)
	}
	own.lock = os.NewFile(own.Lock, "lock")
	listener := os.NewFile(own.Listener, "listener")
	defer listener.Close()
	var err error
	own.listener, err = net.FileListener(listener)
	return own, err
}

// Close closes the port, removes a temporary directory and unlocks the directory.
func (own *resources) Close() error {
	if own == nil {
		return nil
	}
	var errs []error
	if own.listener != nil {
		own.listener.Close() // the server has closed it, if there was one
	}
	if own.Temporary {
		// One by one: os.RemoveAll reads the parent directory, which a confined process cannot.
		entries, err := os.ReadDir(own.Path)
		errs = append(errs, err)
		for _, entry := range entries {
			errs = append(errs, os.RemoveAll(filepath.Join(own.Path, entry.Name())))
		}
		errs = append(errs, os.Remove(own.Path))
	}
	if own.lock != nil {
		errs = append(errs, own.lock.Close())
	}
	return errors.Join(errs...)
}
