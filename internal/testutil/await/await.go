// Package await is for tests of what happens in its own time: in another goroutine, another process or a database.
package await

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// How often is asked: soon at first, then less and less, for many tests wait at once and most of them ask a database.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// Nil asks until check returns nil. It fails the test with the last error when that has not come about within patience.
func Nil(t testing.TB, patience time.Duration, check func() error) {
	t.Helper()
	if err := Until(patience, check); err != nil {
		t.Fatalf("not within %s: %v", patience, err)
	}
}

// Until asks until check returns nil, and returns its last error when that has not come about within patience.
func Until(patience time.Duration, check func() error) error {
	deadline := time.Now().Add(patience)
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(min(poll, time.Until(deadline)))
	}
}

// Log takes what others write, and may be read meanwhile.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
