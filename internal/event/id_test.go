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

// TestPrefixRange verifies that the range of a beginning has the times of all ids with it, and no others.
func TestPrefixRange(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	id := NewID(at).String()
	for n := 1; n <= len(id); n++ {
		from, until, ok := PrefixRange(id[:n])
		if n < 2 {
			if ok {
				t.Errorf("%s: got the range %s … %s", id[:n], from, until)
			}
			continue
		}
		first, last := NewID(from).String(), NewID(until.Add(-time.Millisecond)).String()
		shared := min(n, len("01234567-89ab"))
		if !ok || from.After(at) || !until.After(at) || first[:shared] != id[:shared] || last[:shared] != id[:shared] ||
			NewID(from.Add(-time.Millisecond)).String()[:shared] == id[:shared] ||
			NewID(until).String()[:shared] == id[:shared] {
			t.Errorf("%s: range %s … %s, %v", id[:n], from, until, ok)
		}
	}
	for _, none := range []string{"", "ffffffff", "no-id"} {
		if from, until, ok := PrefixRange(none); ok {
			t.Errorf("%q: got the range %s … %s", none, from, until)
		}
	}
}
