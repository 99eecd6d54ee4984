// Package await is for tests of what happens in its own time: in another goroutine, another process or a database.
package await

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

const poll = 20 * time.Millisecond

// Nil asks until check returns nil. It fails the test with the last error when that has not come about within patience.
func Nil(t testing.TB, patience time.Duration, check func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %v", patience, err)
		}
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
