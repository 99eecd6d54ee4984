package api

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

// TestRepeatedViews verifies that a view of the same thing is recorded once an hour, whatever else is viewed.
func TestRepeatedViews(t *testing.T) {
	now := time.Now()
	views := newViews(nil)
	for _, c := range []struct {
		who, target string
		after       time.Duration
		due         bool
	}{{"a", "1", 0, true}, {"a", "1", time.Minute, false}, {"b", "1", time.Minute, true}, {"a", "2", time.Minute, true},
		{"a", "1", 59 * time.Minute, false}, {"a", "1", time.Hour, true}, {"a", "1", 119 * time.Minute, false}} {
		if due := views.due(view{c.who, "event.view", sha256.Sum256([]byte(c.target))},
			now.Add(c.after)); due != c.due {
			t.Errorf("view of %s by %s after %s: recorded %v", c.target, c.who, c.after, due)
		}
	}
	for i := range 30_000 {
		views.due(view{"a", "event.view", sha256.Sum256([]byte(strconv.Itoa(i)))}, now.Add(time.Minute))
	}
	if n := len(views.recorded); n > 10_000 {
		t.Errorf("%d views in memory", n)
	}
}
