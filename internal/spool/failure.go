package spool

import (
	"context"
	"fmt"
	"log/slog"
)

// failure returns why the spool has failed for good, nil while it has not.
func (s *Spool) failure() error { return context.Cause(s.life) }

// fail makes the spool refuse everything from now on. Only the first cause
// counts, and only it is logged.
func (s *Spool) fail(cause error) error {
	s.failing.Do(func() {
		s.log.Error("spool failed: nothing is accepted until it is opened again",
			"path", s.dir, "error", cause)
		s.end(fmt.Errorf("%w: %s: %w", ErrFailed, s.dir, cause))
	})
	return s.failure()
}

// engineLogger takes what Pebble logs. Pebble reports a commit or a manifest
// that could not be written by Fatalf alone, and expects the process to end;
// here the spool fails instead, and the process lives to say so.
type engineLogger struct{ s *Spool }

func (l engineLogger) Infof(format string, args ...any) {
	if l.s.log.Enabled(context.Background(), slog.LevelDebug) {
		l.s.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.s.log.Warn(fmt.Sprintf(format, args...), "path", l.s.dir)
}

func (l engineLogger) Fatalf(format string, args ...any) {
	// Keep the error itself, for errors.Is and for the errno in it.
	for _, a := range args {
		if err, ok := a.(error); ok {
			_ = l.s.fail(err)
			return
		}
	}
	_ = l.s.fail(fmt.Errorf(format, args...))
}
