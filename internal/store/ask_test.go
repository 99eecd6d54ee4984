package store_test

import (
	"errors"
	"testing"
	"time"

	"hooktape/internal/store"
)

// TestAskTogether verifies that a query of several panels is not asked for an hour after the server refused one.
func TestAskTogether(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	if _, err := d.AskTogether(background, "SELEC 1"); err == nil || errors.Is(err, store.ErrApart) {
		t.Fatalf("an invalid query: %v", err)
	}
	if _, err := d.AskTogether(background, "SELECT 1"); !errors.Is(err, store.ErrApart) {
		t.Errorf("after a refusal: %v", err)
	}
	d.RefusedAt(time.Now().Add(-time.Hour))
	if answer, err := d.AskTogether(background, "SELECT 1"); err != nil || len(answer.Rows) != 1 {
		t.Errorf("an hour after a refusal: %v, %v", answer, err)
	}
}
