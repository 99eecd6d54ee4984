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

// The time between two lines of progress.
const (
	followPoll  = 300 * time.Millisecond // on a terminal
	followQuiet = 5 * time.Second        // elsewhere
)

// status shows progress on stderr, because stdout has the result: on a terminal one line that is overwritten, otherwise
// a line every few seconds.
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

// show writes the line if the last one is old enough.
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

// clear removes the line from a terminal.
func (s *status) clear() {
	if s.terminal {
		fmt.Fprint(s.e.stderr, "\r\x1b[K")
	}
}

// progressBar returns a bar with a percentage.
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
