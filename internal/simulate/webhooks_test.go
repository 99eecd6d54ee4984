package simulate_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

// TestWebhooks verifies that bodies are different and can be decoded.
func TestWebhooks(t *testing.T) {
	const many = 3_000
	webhooks := simulate.NewWebhooks(7)
	bytes := 0
	seen := map[[32]byte]bool{}
	steps := map[string]bool{}
	for number := range uint64(many) {
		body := webhooks.Append(nil, number)
		if !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		got := bothelp.Decode(&event.Received{Body: body})
		if got.DecodeError != "" || got.Kind != event.KindFlow || got.BothelpUserID == "" || got.Channel == "" {
			t.Fatalf("decoded as %+v:\n%s", got, body)
		}
		bytes += len(body)
		seen[sha256.Sum256(body)] = true
		steps[webhooks.Step(number)] = true
	}
	if len(seen) != many || len(steps) < 5 {
		t.Errorf("%d distinct bodies of %d, %d steps", len(seen), many, len(steps))
	}
	if mean := bytes / many; mean < 590 || mean > 610 {
		t.Errorf("%d bytes on average, want 600", mean)
	}
}

func TestSameSeedSameWebhooks(t *testing.T) {
	const number = 123_456
	if a, b := simulate.NewWebhooks(7).Append(nil, number), simulate.NewWebhooks(7).Append(nil,
		number); string(a) != string(b) {
		t.Errorf("the same seed has two bodies:\n%s\n%s", a, b)
	}
	if a, b := simulate.NewWebhooks(7).Append(nil, number), simulate.NewWebhooks(8).Append(nil,
		number); string(a) == string(b) {
		t.Error("two seeds have the same body")
	}
}

func BenchmarkWebhooks(b *testing.B) {
	webhooks, number := simulate.NewWebhooks(7), uint64(0)
	var body []byte
	for b.Loop() {
		body = webhooks.Append(body[:0], number)
		number++
	}
}
