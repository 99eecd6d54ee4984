package main

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/test/receiver"
)

func TestEarly(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	at := func(event uuid.UUID, s float64, retryAfter time.Duration) receiver.Receipt {
		return receiver.Receipt{Event: event, At: time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))),
			RetryAfter: retryAfter}
	}
	const wait = 5 * time.Second
	for name, c := range map[string]struct {
		receipts []receiver.Receipt
		want     int
	}{
		"no Retry-After":        {[]receiver.Receipt{at(a, 0, 0), at(b, 1, 0), at(a, 2, 0)}, 0},
		"Retry-After respected": {[]receiver.Receipt{at(a, 0, wait), at(a, 5.1, 0), at(b, 5.2, 0)}, 0},
		"other event, already under way": {[]receiver.Receipt{at(a, 0, wait), at(b, 0.5, wait), at(a, 5.6, 0)},
			0},
		"other event, sent after the answer": {[]receiver.Receipt{at(a, 0, wait), at(b, 2, 0)}, 1},
		"same event too early":               {[]receiver.Receipt{at(a, 0, wait), at(a, 0.5, 0)}, 1},
		"two answers, the last counts": {[]receiver.Receipt{at(a, 0, wait), at(b, 0.9, wait), at(a, 5.5, 0)},
			1},
		"second Retry-After not respected":      {[]receiver.Receipt{at(a, 0, wait), at(a, 6, wait), at(b, 8, 0)}, 1},
		"second Retry-After, already under way": {[]receiver.Receipt{at(a, 0, wait), at(a, 6, wait), at(b, 6.5, 0)}, 0},
	} {
		if got := early(c.receipts); got != c.want {
			t.Errorf("%s: %d too early, want %d", name, got, c.want)
		}
	}
}

func TestDisordered(t *testing.T) {
	for name, c := range map[string]struct {
		taken []int // places
		want  int
	}{
		"in order":      {[]int{0, 1, 5}, 0},
		"one late":      {[]int{1, 0, 5}, 1},
		"two after one": {[]int{5, 0, 1}, 2},
		"none":          {nil, 0},
	} {
		var taken []*selected
		for _, place := range c.taken {
			taken = append(taken, &selected{place: place})
		}
		if got := disordered(taken); got != c.want {
			t.Errorf("%s: %d out of order, want %d", name, got, c.want)
		}
	}
}
