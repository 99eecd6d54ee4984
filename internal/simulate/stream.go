package simulate

import (
	"cmp"
	"container/heap"
	"iter"

	"hooktape/internal/simulate/people"
)

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

// Visits yields all visits in order of time. It computes a life at the arrival of its subscriber, and keeps only the
// future visits of those who have arrived.
func (a *Account) Visits() iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		var l life
		var future visitHeap
		for next := uint64(0); next < uint64(a.Subscribers) || len(future) > 0; {
			for next < uint64(a.Subscribers) && (len(future) == 0 || a.arrival(next) <= future[0].at) {
				a.live(&l, next)
				for i := range l.visits {
					heap.Push(&future, Visit{l.visits[i].at, uint32(next), l.visits[i].key})
				}
				next++
			}
			if len(future) > 0 && !yield(heap.Pop(&future).(Visit)) {
				return
			}
		}
	}
}

// visitHeap is a heap of visits, the earliest at the top.
type visitHeap []Visit

func (h visitHeap) Len() int      { return len(h) }
func (h visitHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *visitHeap) Push(v any)   { *h = append(*h, v.(Visit)) }

func (h visitHeap) Less(i, j int) bool {
	v, w := h[i], h[j]
	return cmp.Or(cmp.Compare(v.at, w.at), cmp.Compare(v.number, w.number), cmp.Compare(v.key, w.key)) < 0
}

func (h *visitHeap) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	*h = (*h)[:last]
	return v
}

// arrival is when a subscriber comes, as live has it.
func (a *Account) arrival(number uint64) int64 {
	d := people.Throw(a.Seed, streamLives, number)
	return a.calendar.arrival(number, uint64(a.Subscribers), &d)
}
