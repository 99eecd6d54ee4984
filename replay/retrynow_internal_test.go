package replay

import (
	"context"
	"testing"

	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// TestRetryCommandsOnce verifies that a worker carries out each command to try deliveries now exactly once: two commands
// with one number, one that arrives as another becomes too old, and one that a lagging replica hides again.
func TestRetryCommandsOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, dsn := storetest.Open(t)
	conn := enginetest.Connect(t, dsn)
	w := bareWorker(t, nil, workerConfig{queue: store.Queue{Endpoint: "crm"}})
	r := &Runner{store: db, workers: map[store.Queue]*worker{w.config.queue: w}}
	// want verifies how many commands the worker gets, and returns the steering, which it reads if it gets none.
	want := func(what string, n int, steering map[string]store.Steered) map[string]store.Steered {
		t.Helper()
		if steering == nil {
			var err error
			if steering, _, err = db.Steering(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.retryNow(ctx, steering); err != nil {
			t.Fatal(err)
		}
		if got := len(w.news.retries); got != n {
			t.Errorf("%s: %d commands, want %d", what, got, n)
		}
		w.news.retries = nil
		return steering
	}
	give := func(number int, by, ago string) {
		t.Helper()
		if err := conn.Exec(ctx, "INSERT INTO commands (target, action, number, by, at) SELECT 'crm', 'retry', ?, ?, "+
			"toDateTime64(now(), 6) - INTERVAL "+ago, number, by); err != nil {
			t.Fatal(err)
		}
	}
	give(1, "anna", "1 HOUR")
	want("a command", 1, nil)
	give(1, "boris", "1 HOUR")
	early := want("another command with its number", 1, nil)
	want("the same commands", 0, nil)
	give(2, "anna", "2 HOUR") // its clock was behind
	give(3, "anna", "25 HOUR")
	want("a command with an earlier time, and an old one", 1, nil)
	if err := conn.Exec(ctx, "DELETE FROM commands WHERE number = 1 AND by = 'anna'"); err != nil {
		t.Fatal(err)
	}
	give(4, "anna", "0 HOUR")
	late := want("one more and one less", 1, nil)
	want("a lagging replica", 0, early)
	want("the replica has caught up", 0, late)
}
