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

// resources are what the process has taken before it is confined, and hands over to itself.
type resources struct {
	Path, Library            string
	Password, ReaderPassword string
	Temporary                bool // Path is to be removed
	Lock, Listener           uintptr

	lock     *os.File
	listener net.Listener
}

// reach is what a confined process can use.
type reach struct {
	data, library string
	// removeIn is a directory in which empty directories may be removed; "" is none.
	removeIn string
}

// handOver is the environment variable that has the resources of a process that has started itself again.
const handOver = "HOOKTAPE_EMBEDDED_HANDOVER"

// acquire takes the data directory and the port, and finds the library and the passwords.
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

// findPasswords reads those that were not given from their files, which it creates at the first start.
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

// reexec starts this program again, confined, with the resources. It returns only when it cannot: see becomeConfined.
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

// adopt returns what the first run of this program has taken; nil in that one.
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

// Close gives the port and the directory back, and removes a temporary one.
func (own *resources) Close() error {
	if own == nil {
		return nil
	}
	var errs []error
	if own.listener != nil {
		own.listener.Close() // the server has closed it, if there was one
	}
	if own.Temporary {
		// One by one: os.RemoveAll reads the directory above, which a confined process cannot.
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
