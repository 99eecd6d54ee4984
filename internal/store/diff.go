package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// Diff compares the last attempts of a replay's events with the last attempts of the same events elsewhere. Each event
// is in one of the counts.
type Diff struct {
	Same            uint64  `json:"same" doc:"Events with the same status, outcome and body."`
	DifferentStatus uint64  `json:"different_status" doc:"Events with another status or outcome."`
	DifferentBody   uint64  `json:"different_body" doc:"Events with the same status and another body."`
	OnlyHere        uint64  `json:"only_here" doc:"Events answered in the replay only."`
	OnlyThere       uint64  `json:"only_there" doc:"Events answered elsewhere only."`
	Neither         uint64  `json:"neither" doc:"Events without an answer on either side."`
	Here            Latency `json:"here" doc:"The latency of the replay's answers, of events answered on both sides."`
	There           Latency `json:"there" doc:"The latency of the other answers."`

	Rows []DiffRow `json:"-"`
}

// Latency is how long attempts took.
type Latency struct {
	P50MS float64 `json:"p50_ms" doc:"50 of 100 took at most this many milliseconds."`
	P95MS float64 `json:"p95_ms" doc:"95 of 100 took at most this many milliseconds."`
}

// DiffRow is an event whose attempts differ. Bodies are the first 16 KiB.
type DiffRow struct {
	EventID uuid.UUID
	// Differs names the differences: status, outcome and body or, if a side has no attempt, only_here or only_there.
	Differs     []string
	Here, There *event.Attempt
}

// DiffReplay compares the last attempt of each of a replay's events with the last attempt of the same event at the
// endpoint against (empty for the replay's own) outside this replay, live or in another one. It returns the first rows
// that differ, in order of receipt; at most limit.
func (s *Store) DiffReplay(ctx context.Context, replayID uuid.UUID, against string, limit int) (diff Diff, err error) {
	d := diffing{conditions: &conditions{}}
	if err := d.look(ctx, s, replayID, against); err != nil || d.events == 0 {
		return diff, explain("compare replay", err)
	}
	var here, there []float64
	err = s.patient.QueryRow(ctx, `SELECT countIf(verdict = 'same'), countIf(verdict = 'status'), countIf(verdict = 'body'), countIf(verdict = 'only_here'), countIf(verdict = 'only_there'),
		quantilesExactIf(0.5, 0.95)(here.4, tried_here AND tried_there), quantilesExactIf(0.5, 0.95)(there.4, tried_here AND tried_there)
		FROM `+d.pairs(), d.args...).Scan(&diff.Same, &diff.DifferentStatus, &diff.DifferentBody, &diff.OnlyHere, &diff.OnlyThere, &here, &there)
	if err != nil {
		return diff, explain("compare replay", err)
	}
	compared := diff.Same + diff.DifferentStatus + diff.DifferentBody
	diff.Neither = d.events - compared - diff.OnlyHere - diff.OnlyThere
	if compared > 0 {
		diff.Here, diff.There = Latency{here[0], here[1]}, Latency{there[0], there[1]}
	}
	diff.Rows, err = d.rows(ctx, s, limit)
	return diff, err
}

// diffing is a comparison with its parameters.
type diffing struct {
	*conditions
	events             uint64 // of the replay
	replay, there, old string // placeholders
}

// look reads the scope of the comparison.
func (d *diffing) look(ctx context.Context, s *Store, replayID uuid.UUID, against string) error {
	d.replay = d.bind("UUID", replayID.String())
	var endpoint string
	var oldest time.Time
	err := s.conn.QueryRow(ctx,
		"SELECT any(endpoint), uniqExact(event_id), min(event_received_at) FROM deliveries WHERE replay_id = "+d.replay,
		d.args...).
		Scan(&endpoint, &d.events, &oldest)
	if against == "" {
		against = endpoint
	}
	// No attempt is older than its event, but clocks of two machines differ.
	d.there = d.bind("String", against)
	d.old = d.bindTime(oldest.Add(-time.Hour))
	return err
}

// pairs returns a subquery with a row for each event that has an attempt: the last one on each side, and the result of
// their comparison.
func (d *diffing) pairs() string {
	return fmt.Sprintf(`(SELECT event_id, countIf(replay_id = %[1]s) > 0 AS tried_here, countIf(replay_id != %[1]s) > 0 AS tried_there,
		argMaxIf((id, status_code, outcome, duration_ms, sipHash128(response_body)), (number, started_at), replay_id = %[1]s) AS here,
		argMaxIf((id, status_code, outcome, duration_ms, sipHash128(response_body)), (started_at, number), replay_id != %[1]s) AS there,
		multiIf(NOT tried_there, 'only_here', NOT tried_here, 'only_there', (here.2, here.3) != (there.2, there.3), 'status', here.5 != there.5, 'body', 'same') AS verdict
		FROM attempts WHERE event_id IN (SELECT event_id FROM deliveries WHERE replay_id = %[1]s) AND started_at >= %[3]s AND (replay_id = %[1]s OR endpoint = %[2]s)
		GROUP BY event_id)`, d.replay, d.there, d.old)
}

// rows returns the first events whose attempts differ.
func (d *diffing) rows(ctx context.Context, s *Store, limit int) ([]DiffRow, error) {
	type pair struct{ event, here, there uuid.UUID }
	pairs, err := collect(ctx, s.patient, "compare replay",
		fmt.Sprintf("SELECT event_id, here.1, there.1 FROM %s WHERE verdict != 'same' ORDER BY toString(event_id) "+
			"LIMIT %d",
			d.pairs(), min(limit, maxParameters/2)), d.args, func(rows driver.Rows,
			p *pair) error {
			return rows.Scan(&p.event, &p.here, &p.there)
		})
	if err != nil || len(pairs) == 0 {
		return nil, err
	}
	var events, ids []uuid.UUID
	for _, p := range pairs {
		events, ids = append(events, p.event), append(ids, p.here, p.there)
	}
	where := &conditions{}
	where.add("event_id IN {}", "Array(UUID)", uuidStrings(events))
	where.add("id IN {}", "Array(UUID)", uuidStrings(ids))
	list, err := s.queryAttempts(ctx, where)
	if err != nil {
		return nil, err
	}
	attempts := map[uuid.UUID]*event.Attempt{}
	for i := range list {
		attempts[list[i].ID] = &list[i]
	}
	rows := make([]DiffRow, len(pairs))
	for i, p := range pairs {
		rows[i] = DiffRow{EventID: p.event, Here: attempts[p.here], There: attempts[p.there]}
		rows[i].Differs = differs(rows[i].Here, rows[i].There)
	}
	return rows, nil
}

func differs(here, there *event.Attempt) (names []string) {
	if there == nil {
		return []string{"only_here"}
	}
	if here == nil {
		return []string{"only_there"}
	}
	if here.StatusCode != there.StatusCode {
		names = append(names, "status")
	}
	if here.Outcome != there.Outcome {
		names = append(names, "outcome")
	}
	if !bytes.Equal(here.ResponseBody, there.ResponseBody) {
		names = append(names, "body")
	}
	return names
}
