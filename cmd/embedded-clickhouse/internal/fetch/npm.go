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
		return "", fmt.Errorf("npm could not fetch the engine (%w): %s; check the network, the disk and npm's "+
			"registry setting, then try again", err, shorten(messages.String()))
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

// shorten returns the beginning of npm's messages, which says what went wrong, in one line.
func shorten(messages string) string {
	const enough = 300
	line := strings.Join(strings.Fields(messages), " ")
	if len(line) > enough {
		line = strings.ToValidUTF8(line[:enough], "") + "…"
	}
	return line
}
