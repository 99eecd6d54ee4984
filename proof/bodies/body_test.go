package bodies

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"hooktape/bothelp"
	"hooktape/event"
)

// TestBodiesAreWebhooks reads some of the bodies as the product does.
func TestBodiesAreWebhooks(t *testing.T) {
	const many = 20_000
	source, bytes, seen := New(7), 0, map[[32]byte]bool{}
	for number := range uint64(many) {
		body := source.Append(nil, number)
		if !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		got := bothelp.Decode(&event.Received{Body: body})
		if got.DecodeError != "" || got.Kind != event.KindFlow || got.BothelpUserID == "" || got.Channel == "" {
			t.Fatalf("read as %+v:\n%s", got, body)
		}
		bytes += len(body)
		seen[sha256.Sum256(body)] = true
	}
	if len(seen) != many {
		t.Errorf("%d different bodies of %d", len(seen), many)
	}
	if mean := bytes / many; mean < 540 || mean > 560 {
		t.Errorf("%d bytes on average, want 550", mean)
	}
}

func TestSameSeedSameBodies(t *testing.T) {
	const number = 123_456
	if a, b := New(7).Append(nil, number), New(7).Append(nil, number); string(a) != string(b) {
		t.Errorf("%s\n%s", a, b)
	}
	if a, b := New(7).Append(nil, number), New(8).Append(nil, number); string(a) == string(b) {
		t.Error("another seed gives the same body")
	}
}

func BenchmarkAppend(b *testing.B) {
	source, number := New(7), uint64(0)
	var body []byte
	for b.Loop() {
		body = source.Append(body[:0], number)
		number++
	}
}
