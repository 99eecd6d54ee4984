package event

import (
	"strings"
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

// TestIsID verifies that an id is whole only in the form in which ids are written, in any case.
func TestIsID(t *testing.T) {
	id := NewID(time.Now()).String()
	for _, kind := range []Named{NamesEvent, NamesReplay, NamesDelivery} {
		whole := id
		if kind == NamesDelivery {
			whole += "-1a2b3c4d"
		}
		if !IsID(kind, whole) || !IsID(kind, strings.ToUpper(whole)) {
			t.Errorf("%s is no id of a %s", whole, kind)
		}
		for _, other := range []string{"", "last", whole[:8], whole + "0", "{" + whole + "}", "urn:uuid:" + whole,
			strings.ReplaceAll(whole, "-", ""), "x" + whole[1:]} {
			if IsID(kind, other) {
				t.Errorf("%q is an id of a %s", other, kind)
			}
		}
	}
}
