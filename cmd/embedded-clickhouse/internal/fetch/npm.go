package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// npmPack has npm fetch the tarball into dir and returns its path.
func npmPack(ctx context.Context, dir string, b build, out io.Writer) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not installed: install Node.js, which brings it, or put libchdb.so somewhere " +
			"and set CHDB_LIB_PATH")
	}
	cache := filepath.Join(dir, "npm")
	// The growth of a separate cache shows the progress.
	cmd := exec.CommandContext(ctx, npm, "pack", b.npm+"@"+Version, "--pack-destination", dir, "--cache", cache,
		"--ignore-scripts", "--no-update-notifier", "--loglevel", "error")
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var messages bytes.Buffer
	cmd.Stderr = &messages
	stop := showProgress(out, cache, b.packed)
	err = cmd.Run()
	stop()
	if ctx.Err() != nil {
		return "", errors.New("fetching the engine was broken off")
	}
	if err != nil {
		return "", npmError(err, messages.String())
	}
	// The tarball is beside the cache now. A small disk may not hold both.
	if err := os.RemoveAll(cache); err != nil {
		return "", fmt.Errorf("remove npm's cache: %w", err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(found) != 1 {
		return "", fmt.Errorf("npm pack left %d tarballs where one was expected: is your npm very old?", len(found))
	}
	return found[0], nil
}

// npmError returns an error with npm's last lines.
func npmError(err error, messages string) error {
	if strings.Contains(messages, "ENOSPC") {
		return unix.ENOSPC
	}
	const lines = 3
	var last []string
	for line := range strings.Lines(messages) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"npm error", "npm ERR!"} {
			line = strings.TrimSpace(strings.TrimPrefix(line, prefix))
		}
		if line != "" && !strings.Contains(line, "debug-0.log") && !strings.HasPrefix(line, "A complete log") {
			last = append(last, line)
		}
	}
	last = last[max(0, len(last)-lines):]
	return fmt.Errorf("npm could not fetch the engine (%w): %s; check the network and npm's registry setting, then "+
		"try again",
		err, strings.Join(last, "; "))
}
