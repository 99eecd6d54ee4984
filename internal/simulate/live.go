package simulate

import (
	"context"
	"iter"
	"time"
)

const (
	// warmUp is the simulated time before live traffic begins; without it no subscriber would reach a later step for a
	// while. It is shorter if it would have too many requests.
	warmUp     = 6 * time.Hour
	mostWarmUp = 2_000_000 // requests

	// longest is how far ahead live traffic is planned.
	longest = 30 * 24 * time.Hour
)

// LiveOptions returns the options of an account for Live. At now it is in full operation; it makes about rate requests
// a second for lasts, at most 30 days. Seed, Speed, Sources and ChatSigningToken are taken from o.
func LiveOptions(o Options, now time.Time, rate float64, lasts time.Duration) Options {
	if lasts <= 0 || lasts > longest {
		lasts = longest
	}
	warm := min(warmUp, time.Duration(mostWarmUp/rate*float64(time.Second)))
	o.From, o.Until, o.Even = now.Add(-warm), now.Add(lasts), true
	people := rate / o.visitsWithin(warm) * (warm + lasts).Seconds()
	o.Subscribers = uint32(min(max(people, 1), maxSubscribers))
	return o
}

// visitsWithin is how many requests a subscriber is good for in the first time after the first one, on average.
func (o Options) visitsWithin(first time.Duration) float64 {
	const sample = 4000
	o.Subscribers, o.Until = sample, o.From.Add(maxSpan)
	a := &Account{Options: o, calendar: newCalendar(Options{From: o.From, Until: o.From.Add(time.Minute), Even: true}),
		until: o.Until.UnixMicro()}
	var l life
	count := 0
	for n := range uint64(sample) {
		a.live(&l, n)
		for i := range l.visits {
			if l.visits[i].at < l.visits[0].at+first.Microseconds() {
				count++
			}
		}
	}
	return float64(count) / sample
}

// Live yields the visits from a time on, each at its time, until ctx or the history ends.
func (a *Account) Live(ctx context.Context, from time.Time) iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for v := range a.Visits() {
			if v.at < from.UnixMicro() {
				if ctx.Err() != nil {
					return
				}
				continue
			}
			timer.Reset(time.Until(v.At()))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			if !yield(v) {
				return
			}
		}
	}
}
