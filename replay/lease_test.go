package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hooktape/internal/testutil"
	"hooktape/replay"
)

// TestStandby verifies that one of several processes delivers, that another takes over when it ends, and that nothing
// is sent twice. A process that restarts with its own spool does not wait for its previous claim.
func TestStandby(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	crm := endpointAt("crm", got.URL, func(e *replay.Endpoint) { e.Subscribe.Sources = []string{"demo"} })
	first := startSender(t, db, t.TempDir(), replay.Options{}, crm)
	awaitPoller(t, db, "crm")
	dirs := []string{t.TempDir(), t.TempDir()}
	var waiting []*sender
	for _, dir := range dirs {
		waiting = append(waiting, startSender(t, db, dir, replay.Options{}, crm))
	}
	events := newEvents("demo", 60)
	insert(t, db, events[:20]...)
	awaitDelivered(t, db, events[:20])
	for _, w := range waiting {
		testutil.Eventually(t, func() error {
			if err := w.runner.Failing(); !errors.Is(err, replay.ErrStandby) {
				return fmt.Errorf("a second process delivers: %w", err)
			}
			return nil
		})
		if text := w.runner.Failing().Error(); !strings.Contains(text, "has the lease") {
			t.Errorf("a standby reports %q", text)
		}
	}
	first.stop()
	insert(t, db, events[20:40]...)
	awaitDelivered(t, db, events[:40])
	active := 0
	for _, w := range waiting {
		if w.runner.Failing() == nil {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d processes deliver, want one", active)
	}
	for _, w := range waiting {
		w.stop()
	}
	startSender(t, db, dirs[0], replay.Options{}, crm)
	insert(t, db, events[40:]...)
	awaitDelivered(t, db, events)
	assertEachOnce(t, events, got)
}
