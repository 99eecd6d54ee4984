package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// SearchEvents is ListEvents for a person who waits. A full scan goes back from the newest event in steps and stops
// after the step in which patience ends. Then rest is the cursor to continue from; it is nil if the page is full or
// everything was searched.
func (s *Store) SearchEvents(ctx context.Context, sel event.Selection, page Page,
	patience time.Duration) (found []event.Event, rest *Cursor, err error) {
	if !sel.FullScan() {
		found, err = s.ListEvents(ctx, sel, page)
		return found, nil, err
	}
	begin, end, most, err := s.span(ctx, sel, page)
	if err != nil {
		return nil, nil, err
	}
	reached, err := stepBack(begin, end, most, patience, s.eventsBetween(ctx, sel, page, &found))
	if reached != nil {
		rest = &Cursor{At: *reached, ID: uuid.Nil}
	}
	return found, rest, err
}

// stepBack calls read for one range of time after the other, from end back to begin, until a page is full. The steps
// grow up to most. After the step in which patience ends it stops, and returns how far back it came.
func stepBack(begin, end time.Time, most, patience time.Duration,
	read func(from, until time.Time) (full bool, err error)) (reached *time.Time, err error) {
	begun := time.Now()
	for step := firstStep; end.After(begin); {
		from := end.Add(-step)
		if from.Before(begin) {
			from = begin
		}
		stepped := time.Now()
		if full, err := read(from, end); err != nil || full {
			return nil, err
		}
		left := patience - time.Since(begun)
		if left <= 0 && from.After(begin) {
			return &from, nil
		}
		step, end = min(nextStep(step, time.Since(stepped), left), most), from
	}
	return nil, nil
}

// firstStep is how far back the first step goes, and the shortest step.
const firstStep = 3 * time.Hour

// nextStep returns up to four times the step before, which took the given time, but not more than fits into the time
// left.
func nextStep(step, took, left time.Duration) time.Duration {
	next := 4 * float64(step)
	if took > 0 {
		next = min(next, float64(step)*float64(left)/float64(took))
	}
	return max(time.Duration(next), firstStep)
}

// stepEvents is about the largest number of events in a step: ClickHouse searches the texts of as many in a tenth of a
// second. The duration of earlier steps alone is misleading, because ClickHouse remembers granules without a match.
const stepEvents = 500_000

// longestStep returns the longest step over rows between two times.
func longestStep(begin, end time.Time, rows uint64) time.Duration {
	whole := end.Sub(begin)
	if rows <= stepEvents {
		return whole
	}
	return max(time.Duration(float64(whole)*stepEvents/float64(rows)), firstStep)
}

// span returns the time range of the selected events of a page, begin included, end not, and the longest step.
func (s *Store) span(ctx context.Context, sel event.Selection, page Page) (begin, end time.Time, most time.Duration,
	err error) {
	var events uint64
	if err = s.conn.QueryRow(ctx, "SELECT min(received_at), max(received_at), count() FROM events").Scan(&begin, &end,
		&events); err != nil {
		return begin, end, 0, explain("find the oldest and the newest event", err)
	}
	end = end.Add(time.Microsecond)
	most = longestStep(begin, end, events)
	if sel.From != nil && sel.From.After(begin) {
		begin = *sel.From
	}
	if sel.Until != nil && sel.Until.Before(end) {
		end = *sel.Until
	}
	if page.Before != nil && page.Before.At.Before(end) {
		end = page.Before.At.Add(time.Microsecond) // the cursor decides about events of the same microsecond
	}
	return begin, end, most, nil
}
