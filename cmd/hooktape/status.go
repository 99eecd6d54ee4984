package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// status is a line that tells how far something is: written over itself on a terminal, else a line now and then. It goes
// to stderr, for stdout has the result.
type status struct {
	e        *env
	terminal bool
	last     time.Time
}

func newStatus(e *env) *status {
	return &status{e: e, terminal: isTerminal(e.stderr), last: time.Now()}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// show writes the line if it is time for it.
func (s *status) show(line func() string) {
	switch since := time.Since(s.last); {
	case s.terminal && since > followPoll:
		fmt.Fprintf(s.e.stderr, "\r\x1b[K%s", line())
	case !s.terminal && since > followQuiet:
		fmt.Fprintln(s.e.stderr, line())
	default:
		return
	}
	s.last = time.Now()
}

// clear takes the line away.
func (s *status) clear() {
	if s.terminal {
		fmt.Fprint(s.e.stderr, "\r\x1b[K")
	}
}

// progressBar is a bar with a percentage.
func progressBar(done, total uint64) string {
	const width = 30
	part := min(float64(done)/float64(max(total, 1)), 1)
	filled := int(part * width)
	return fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("█", filled), strings.Repeat("░", width-filled), int(part*100))
}

// pause waits, and reports whether the whole time has passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
