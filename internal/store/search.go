package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// SearchEvents is ListEvents for somebody who waits. What needs a look at every event (a text, a custom field, an
// expression, what became of an event at an endpoint) it looks for going back from the newest in steps, and stops after the
// step with which patience is over. Then rest is where to go on from; it is nil when the page is full, or all was looked at.
func (s *Store) SearchEvents(ctx context.Context, sel event.Selection, page Page, patience time.Duration) (found []event.Event, rest *Cursor, err error) {
	if !sel.FullScan() {
		found, err = s.ListEvents(ctx, sel, page)
		return found, nil, err
	}
	begin, end, most, err := s.span(ctx, sel, page)
	if err != nil {
		return nil, nil, err
	}
	begun := time.Now()
	for step := firstStep; end.After(begin); {
		from := end.Add(-step)
		if from.Before(begin) {
			from = begin
		}
		part := sel
		part.From, part.Until = &from, &end
		stepped := time.Now()
		more, err := s.ListEvents(ctx, part, Page{Limit: page.Limit - len(found), Before: page.Before})
		if err != nil {
			return found, nil, err
		}
		if found = append(found, more...); len(found) >= page.Limit {
			return found, nil, nil
		}
		left := patience - time.Since(begun)
		if left <= 0 && from.After(begin) {
			return found, &Cursor{At: from, ID: uuid.Nil}, nil
		}
		step, end = min(nextStep(step, time.Since(stepped), left), most), from
	}
	return found, nil, nil
}

// firstStep is how far back the first look goes; none is shorter.
const firstStep = 3 * time.Hour

// nextStep is up to four times as long as the one before, which took so long, and not longer than what fits into the time
// that is left.
func nextStep(step, took, left time.Duration) time.Duration {
	next := 4 * step
	if took > 0 {
		next = min(next, time.Duration(float64(step)*float64(left)/float64(took)))
	}
	return max(next, firstStep)
}

// stepEvents is about how many events a step may go over: ClickHouse searches the texts of so many in a tenth of a second. How long the steps before took does not tell it all: ClickHouse remembers where nothing was.
const stepEvents = 500_000

// span is the time that the selected events of a page can lie in, from begin until before end, and the longest step.
func (s *Store) span(ctx context.Context, sel event.Selection, page Page) (begin, end time.Time, most time.Duration, err error) {
	var events uint64
	if err = s.conn.QueryRow(ctx, "SELECT min(received_at), max(received_at), count() FROM events").Scan(&begin, &end, &events); err != nil {
		return begin, end, 0, explain("look for the oldest and the newest event", err)
	}
	end = end.Add(time.Microsecond)
	most = end.Sub(begin)
	if events > stepEvents {
		most = max(time.Duration(float64(most)*stepEvents/float64(events)), firstStep)
	}
	if sel.From != nil && sel.From.After(begin) {
		begin = *sel.From
	}
	if sel.Until != nil && sel.Until.Before(end) {
		end = *sel.Until
	}
	if page.Before != nil && page.Before.At.Before(end) {
		end = page.Before.At.Add(time.Microsecond) // those of the same microsecond are behind the cursor, or before it
	}
	return begin, end, most, nil
}
