package testutil

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen. A loaded machine takes ten times as long as an idle one.
const Patience = 4 * time.Minute

// Poll begins with short pauses that grow, because many tests wait in parallel and most of them query a database.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Eventually is [Await], but fails the test with the error.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	if err := Await(t, check); err != nil {
		t.Fatal(err)
	}
}

// reportTime is the time before the deadline of a test program that remains for a test to report why it fails.
const reportTime = 20 * time.Second

// Timeout returns Patience, or the time until shortly before the deadline of the test program if that is less.
func Timeout(t testing.TB) time.Duration {
	if deadliner, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := deadliner.Deadline(); ok {
			return min(Patience, time.Until(deadline)-reportTime)
		}
	}
	return Patience
}

// Await polls check until it returns nil. After [Timeout] it returns check's last error.
func Await(t testing.TB, check func() error) error {
	begun := time.Now()
	if err := Poll(Timeout(t), check); err != nil {
		return fmt.Errorf("timeout after %s: %w", time.Since(begun).Round(time.Second), err)
	}
	return nil
}

// Poll calls check until it returns nil. After timeout it returns check's last error.
func Poll(timeout time.Duration, check func() error) error {
	deadline := time.Now().Add(timeout)
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(min(pause, time.Until(deadline)))
	}
}

// Log collects the output of goroutines or processes. It may be read at any time.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
