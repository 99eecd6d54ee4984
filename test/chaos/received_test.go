package main

import (
	"slices"
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
	few := patient.concurrency
	others := func(n int, s float64) (list []receiver.Receipt) {
		for range n {
			list = append(list, at(uuid.New(), s, wait))
		}
		return list
	}
	for name, c := range map[string]struct {
		receipts [][]receiver.Receipt
		want     int
	}{
		"no Retry-After":        {[][]receiver.Receipt{{at(a, 0, 0), at(b, 1, 0), at(a, 2, 0)}}, 0},
		"Retry-After respected": {[][]receiver.Receipt{{at(a, 0, wait), at(a, 5.1, 0), at(b, 5.2, 0)}}, 0},
		"others under way":      {[][]receiver.Receipt{others(1, 0), others(few-1, 4)}, 0},
		"one more than that":    {[][]receiver.Receipt{others(1, 0), others(few, 4)}, 1},
		"others after it":       {[][]receiver.Receipt{others(few, 0), others(few, 5), others(few, 10)}, 0},
		"too early after the second": {[][]receiver.Receipt{others(few, 0), others(few, 5), others(2, 9)},
			2},
		"same event too early":             {[][]receiver.Receipt{{at(a, 0, wait), at(a, 0.5, 0)}}, 1},
		"it counts once":                   {[][]receiver.Receipt{{at(a, 0, wait)}, others(few-1, 1), {at(a, 2, wait)}}, 1},
		"same event, by its latest answer": {[][]receiver.Receipt{{at(a, 0, wait), at(a, 6, wait), at(a, 8, 0)}}, 1},
	} {
		if got := early(slices.Concat(c.receipts...)); got != c.want {
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
