package event

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDContainsTimeOfReceipt(t *testing.T) {
	early := time.Date(2026, 1, 2, 3, 4, 5, 678_999_000, time.UTC)
	late := time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)
	ids := []uuid.UUID{NewID(late), NewID(early)}
	if ids[0] == NewID(late) || ids[1].Version() != 7 || ids[1].Variant() != uuid.RFC4122 {
		t.Errorf("ids: %v", ids)
	}
	from, to, ok := IDRange(ids)
	if !ok || from.After(early) || to.Before(late) || to.Sub(from) > late.Sub(early)+2*time.Millisecond {
		t.Errorf("range %s … %s, %v", from, to, ok)
	}
	for _, foreign := range []uuid.UUID{uuid.Nil, uuid.Max, uuid.New()} {
		if _, _, ok := IDRange([]uuid.UUID{foreign}); ok {
			t.Errorf("got a range for the foreign id %s", foreign)
		}
	}
}
