package api

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

// TestLookAgain: one look at a thing stands in the audit log for an hour, whatever else was looked at, and no longer.
func TestLookAgain(t *testing.T) {
	now := time.Now()
	looks := newLooks(nil)
	for _, c := range []struct {
		who, target string
		after       time.Duration
		due         bool
	}{{"a", "1", 0, true}, {"a", "1", time.Minute, false}, {"b", "1", time.Minute, true}, {"a", "2", time.Minute, true}, {"a", "1", 59 * time.Minute, false}, {"a", "1", time.Hour, true}, {"a", "1", 119 * time.Minute, false}} {
		if due := looks.due(look{c.who, "event.view", sha256.Sum256([]byte(c.target))}, now.Add(c.after)); due != c.due {
			t.Errorf("a look at %s by %s after %s: %v", c.target, c.who, c.after, due)
		}
	}
	for i := range 30_000 {
		looks.due(look{"a", "event.view", sha256.Sum256([]byte(strconv.Itoa(i)))}, now.Add(time.Minute))
	}
	if n := len(looks.seen); n > 10_000 {
		t.Errorf("%d looks are remembered", n)
	}
}
