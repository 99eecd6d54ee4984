package replay

import (
	"context"
	"testing"
	"time"

	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// TestADeadProcessDoesNotKeepTheLock verifies that a process that died while it froze a selection delays others for no
// longer than leaseTime.
func TestADeadProcessDoesNotKeepTheLock(t *testing.T) {
	t.Parallel()
	db, err := store.Open(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dead := store.LeaseClaim{ID: "a"}
	if err := db.RenewLease(t.Context(), "freeze crm", dead); err != nil {
		t.Fatal(err)
	}
	waiting := &freezeLock{store: db, lease: "freeze crm", self: store.LeaseClaim{ID: "b"}}
	if lower, higher, err := waiting.others(t.Context()); !lower || higher || err != nil {
		t.Fatalf("others hold the lock: lower %v, higher %v, %v", lower, higher, err)
	}
	seen := waiting.seen["a"]
	seen.at = seen.at.Add(-leaseTime)
	waiting.seen["a"] = seen
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := waiting.acquire(ctx); err != nil {
		t.Fatal(err)
	}
	end := waiting.keep(ctx)
	if !waiting.held() {
		t.Error("the lock is not held")
	}
	waiting.mu.Lock()
	// the process was stopped for so long that another may have held the lock
	waiting.renewed = time.Now().Add(-leaseTime)
	waiting.mu.Unlock()
	waiting.renew(ctx)
	if waiting.held() {
		t.Error("an expired lock was renewed")
	}
	end()
	// A leftover claim would make each later process wait.
	if holders, err := db.LeaseClaims(t.Context(), "freeze crm"); err != nil || len(holders) != 0 {
		t.Errorf("leftover claims: %+v, %v", holders, err)
	}
}
