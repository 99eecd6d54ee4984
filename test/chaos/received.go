package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/test/receiver"
)

// receivedRow has the results of the deliveries under one fault.
type receivedRow struct {
	fault     string `column:"fault"`
	selected  int    `column:"selected"`
	delivered int    `column:"delivered"` // as ClickHouse says
	failed    int    `column:"failed"`    // as ClickHouse says
	missing   int    `column:"MISSING"`   // neither delivered nor failed, or recorded as delivered but not accepted
	// requests beyond the recorded attempts, or with a repeated attempt number
	overSent   int `column:"OVER-SENT"`
	disordered int `column:"OUT OF ORDER"` // accepted after a later event of the same subscriber, by their numbers
	early      int `column:"TOO EARLY"`    // sent before a Retry-After had passed
	attempts   int `column:"attempts"`     // recorded
	unknown    int `column:"unknown"`      // attempts whose outcome was lost
	requests   int `column:"requests"`     // at the endpoint
}

// broken returns the broken promises as an error.
func (r *receivedRow) broken() error {
	switch {
	case r.missing+r.overSent+r.disordered+r.early > 0:
		return fmt.Errorf("%d missing, %d over-sent, %d out of order, %d too early", r.missing, r.overSent,
			r.disordered, r.early)
	case r.delivered+r.failed != r.selected:
		return fmt.Errorf("%d delivered and %d failed of %d selected", r.delivered, r.failed, r.selected)
	case r.delivered == 0:
		return fmt.Errorf("nothing was delivered")
	}
	return nil
}

// selected is an event to deliver, with the results in ClickHouse and at the endpoint.
type selected struct {
	place      int // in order of the spool
	subscriber string
	state      string
	attempts   uint64 // recorded, different ones

	requests int // at the endpoint of it
	numbers  map[uint32]bool
	accepted bool
}

// countReceived compares the deliveries in ClickHouse with the endpoint's ledger.
func (t *trial) countReceived(ctx context.Context, r *receivedRow) error {
	events, err := t.selected(ctx, r)
	if err != nil {
		return err
	}
	receipts := t.delivery.receiver.Receipts()
	r.selected, r.requests = len(events), len(receipts)
	accepted := map[string][]*selected{} // by subscriber, in the order of acceptance
	for _, got := range receipts {
		e := events[got.Event]
		if e == nil || got.Replay != t.delivery.replay {
			r.overSent++ // not selected
			continue
		}
		if e.requests++; e.numbers[got.Attempt] {
			r.overSent++
		}
		e.numbers[got.Attempt] = true
		if got.Status == 200 && !e.accepted {
			e.accepted = true
			accepted[e.subscriber] = append(accepted[e.subscriber], e)
		}
	}
	for _, e := range events {
		switch {
		case e.state == "delivered":
			r.delivered++
			if !e.accepted {
				r.missing++
			}
		case e.state == "failed":
			r.failed++
		default:
			r.missing++
		}
		r.overSent += max(0, e.requests-int(e.attempts))
	}
	for _, list := range accepted {
		r.disordered += disordered(list)
	}
	r.early = early(receipts)
	return nil
}

// selected reads the events to deliver, and their recorded deliveries and attempts.
func (t *trial) selected(ctx context.Context, r *receivedRow) (map[uuid.UUID]*selected, error) {
	events := map[uuid.UUID]*selected{}
	err := t.query(ctx, func(conn driver.Conn) error {
		rows, err := conn.Query(ctx, `SELECT e.id, e.bothelp_user_id, d.state, a.attempts, a.unknown FROM events AS e
			LEFT JOIN (SELECT event_id, toString(state) AS state FROM deliveries FINAL WHERE replay_id = '`+t.delivery.replay.String()+`') AS d
				ON d.event_id = e.id
			LEFT JOIN (SELECT event_id, uniqExact(id) AS attempts, uniqExactIf(id, outcome = 'unknown') AS unknown FROM attempts
				WHERE replay_id = '`+t.delivery.replay.String()+`' GROUP BY event_id) AS a ON a.event_id = e.id
			WHERE e.verdict = 'accepted' ORDER BY e.spool, e.spool_number, e.received_at, e.id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var unknown uint64
			e := &selected{place: len(events), numbers: map[uint32]bool{}}
			if err := rows.Scan(&id, &e.subscriber, &e.state, &e.attempts, &unknown); err != nil {
				return err
			}
			events[id] = e
			r.attempts += int(e.attempts)
			r.unknown += int(unknown)
		}
		return rows.Err()
	})
	return events, err
}

// disordered counts the events of a subscriber that were accepted after one that follows them in the spool, regardless
// of their times.
func disordered(taken []*selected) (n int) {
	last := -1
	for _, e := range taken {
		if e.place < last {
			n++
		}
		last = max(last, e.place)
	}
	return n
}

// rounding allows for the next attempt's time, which is stored in milliseconds.
const rounding = 5 * time.Millisecond

// early counts the requests that came before a Retry-After had passed. A repeated event is always too early. Other
// events are too early if they are more than the requests that hooktape makes at a time: that many may have been sent
// before it read the answer. After that it sends nothing until the Retry-After has passed. A busy endpoint answers all
// requests with Retry-After, so no place for a request becomes free earlier, even on a slow machine.
func early(receipts []receiver.Receipt) (n int) {
	own := map[uuid.UUID]time.Time{}
	var until time.Time
	underWay := 0
	for _, got := range receipts {
		again := got.At.Before(own[got.Event].Add(-rounding))
		if again {
			n++
		}
		if got.RetryAfter == 0 {
			continue
		}
		passed := got.At.Add(got.RetryAfter)
		own[got.Event] = passed
		if !got.At.Before(until.Add(-rounding)) {
			until, underWay = passed, 0
		}
		if underWay++; underWay > patient.concurrency && !again {
			n++
		}
	}
	return n
}
