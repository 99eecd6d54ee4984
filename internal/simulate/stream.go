package simulate

import (
	"cmp"
	"iter"
	"slices"

	"hooktape/internal/simulate/people"
)

// eventsEach is how many requests a subscriber is good for, about. It only sizes things.
const eventsEach = 9

// Batches yields all visits in order of time, size at a time; the last batch has the rest. Every batch is a slice of
// its own.
func (a *Account) Batches(size int) iter.Seq[[]Visit] {
	return func(yield func([]Visit) bool) {
		batch := make([]Visit, 0, size)
		for v := range a.Visits() {
			if batch = append(batch, v); len(batch) < size {
				continue
			}
			if !yield(batch) {
				return
			}
			batch = make([]Visit, 0, size)
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// Visits yields all visits in order of time.
//
// In memory it keeps only the future visits of subscribers who have arrived, 16 bytes each. It divides the time into
// short spans, computes a life at the span of its first visit, and assigns its visits to their spans.
func (a *Account) Visits() iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		s := a.newSpans()
		for from := s.from; from < a.until; from += s.width {
			for _, v := range s.visits(from) {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// spans is the history cut into spans of equal width.
type spans struct {
	*Account
	from, width int64
	waiting     map[int64][]Visit // by number of the span
	spare       [][]Visit
	last        []Visit // of the span before, to be used again
	life        life
	next        uint64 // the next subscriber to arrive
}

func (a *Account) newSpans() *spans {
	const perSpan = 4000
	from := a.From.UnixMicro()
	width := (a.until - from) / (1 + int64(a.Subscribers)*eventsEach/perSpan)
	return &spans{Account: a, from: from, width: min(max(width, second), hour), waiting: map[int64][]Visit{}}
}

// visits returns the visits of one span. The calls must be in order; the result is valid until the next call.
func (s *spans) visits(from int64) []Visit {
	if s.last != nil {
		s.spare = append(s.spare, s.last[:0])
	}
	for s.next < uint64(s.Subscribers) && s.arrival(s.next) < from+s.width {
		s.live(&s.life, s.next)
		for i := range s.life.visits {
			s.wait(Visit{s.life.visits[i].at, uint32(s.next), s.life.visits[i].key})
		}
		s.next++
	}
	span := (from - s.from) / s.width
	list := s.waiting[span]
	delete(s.waiting, span)
	s.last = list
	slices.SortFunc(list, func(v, w Visit) int {
		return cmp.Or(cmp.Compare(v.at, w.at), cmp.Compare(v.number, w.number), cmp.Compare(v.key, w.key))
	})
	return list
}

func (s *spans) wait(v Visit) {
	span := (v.at - s.from) / s.width
	list, ok := s.waiting[span]
	if n := len(s.spare); !ok && n > 0 {
		list, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	s.waiting[span] = append(list, v)
}

// arrival is when a subscriber comes, as live has it.
func (a *Account) arrival(number uint64) int64 {
	d := people.Throw(a.Seed, streamLives, number)
	return a.calendar.arrival(number, uint64(a.Subscribers), &d)
}
