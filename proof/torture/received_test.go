package main

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/proof/sink"
)

func TestEarly(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	at := func(event uuid.UUID, s float64, retryAfter time.Duration) sink.Receipt {
		return sink.Receipt{Event: event, At: time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))), RetryAfter: retryAfter}
	}
	const wait = 5 * time.Second
	for name, c := range map[string]struct {
		receipts []sink.Receipt
		want     int
	}{
		"nothing asked":            {[]sink.Receipt{at(a, 0, 0), at(b, 1, 0), at(a, 2, 0)}, 0},
		"waited for":               {[]sink.Receipt{at(a, 0, wait), at(a, 5.1, 0), at(b, 5.2, 0)}, 0},
		"another under way":        {[]sink.Receipt{at(a, 0, wait), at(b, 0.5, wait), at(a, 5.6, 0)}, 0},
		"another not under way":    {[]sink.Receipt{at(a, 0, wait), at(b, 2, 0)}, 1},
		"the same at once":         {[]sink.Receipt{at(a, 0, wait), at(a, 0.5, 0)}, 1},
		"the last answer counts":   {[]sink.Receipt{at(a, 0, wait), at(b, 0.9, wait), at(a, 5.5, 0)}, 1},
		"a second wait, not kept":  {[]sink.Receipt{at(a, 0, wait), at(a, 6, wait), at(b, 8, 0)}, 1},
		"a second wait, with room": {[]sink.Receipt{at(a, 0, wait), at(a, 6, wait), at(b, 6.5, 0)}, 0},
	} {
		if got := early(c.receipts); got != c.want {
			t.Errorf("%s: %d too early, want %d", name, got, c.want)
		}
	}
}

func TestDisordered(t *testing.T) {
	event := func(place, receivedMS int) *selected {
		return &selected{place: place, receivedAt: time.UnixMilli(int64(receivedMS))}
	}
	for name, c := range map[string]struct {
		taken []*selected
		want  int
	}{
		"in order":                     {[]*selected{event(0, 1), event(1, 1), event(5, 2)}, 0},
		"one late":                     {[]*selected{event(1, 1), event(0, 1), event(5, 2)}, 1},
		"two behind one":               {[]*selected{event(5, 2), event(0, 1), event(1, 1)}, 2},
		"received with what passed it": {[]*selected{event(1, 1), event(0, 2)}, 0},
		"the clock was set back":       {[]*selected{event(1, 1), event(0, 5000)}, 0},
	} {
		if got := disordered(c.taken); got != c.want {
			t.Errorf("%s: %d out of order, want %d", name, got, c.want)
		}
	}
}
