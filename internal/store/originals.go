package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// duplicateWindow is how long after an equal request another one counts as the sender's retry.
const duplicateWindow = 24 * time.Hour

// request identifies equal chat webhooks: source, the event's own time, hash of the body.
type request struct {
	source  string
	eventAt int64
	sha256  string
}

type arrival struct {
	at    time.Time
	id    uuid.UUID
	given bool // not stored yet
}

// maxParameters is the largest number of hashes or ids in a query: over HTTP a parameter may have 128 KiB.
const maxParameters = 1000

// Originals returns the original of each duplicate among the events, which must have a time of their own: the first
// stored or given event with the same source, time and body, at most 24 hours before.
func (s *Store) Originals(ctx context.Context, events []event.Event) (map[uuid.UUID]uuid.UUID, error) {
	arrivals := map[request][]arrival{}
	oldest, hashes := events[0].ReceivedAt, make([]string, 0, len(events))
	for i := range events {
		r := requestOf(&events[i])
		arrivals[r] = append(arrivals[r], arrival{events[i].ReceivedAt, events[i].ID, true})
		hashes = append(hashes, r.sha256)
		if events[i].ReceivedAt.Before(oldest) {
			oldest = events[i].ReceivedAt
		}
	}
	for part := range slices.Chunk(hashes, maxParameters) {
		if err := s.addStored(ctx, oldest.Add(-duplicateWindow), part, arrivals); err != nil {
			return nil, explain("find duplicates", err)
		}
	}
	return firsts(events, arrivals), nil
}

// addStored adds the stored arrivals of the requests with these hashes.
func (s *Store) addStored(ctx context.Context, since time.Time, hashes []string, arrivals map[request][]arrival) error {
	where := &conditions{}
	where.add("received_at >= {}", "DateTime64(6,'UTC')", micros(since))
	where.add("body_sha256 IN {}", "Array(String)", hashes)
	rows, err := s.conn.Query(ctx, fmt.Sprintf(`SELECT source, event_at, body_sha256, received_at, id FROM events
		WHERE %s AND verdict = 'accepted'`, where), where.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r request
		var a arrival
		var eventAt time.Time
		if err := rows.Scan(&r.source, &eventAt, &r.sha256, &a.at, &a.id); err != nil {
			return err
		}
		r.eventAt = eventAt.UnixMicro()
		if _, ours := arrivals[r]; ours {
			arrivals[r] = append(arrivals[r], a)
		}
	}
	return rows.Err()
}

// compare orders arrivals. In the same microsecond a stored event comes first, because it can no longer become a
// duplicate.
func (a arrival) compare(b arrival) int {
	if c := a.at.Compare(b.at); c != 0 || a.given == b.given {
		return cmp.Or(c, bytes.Compare(a.id[:], b.id[:]))
	}
	if b.given {
		return -1
	}
	return 1
}

func firsts(events []event.Event, arrivals map[request][]arrival) map[uuid.UUID]uuid.UUID {
	for _, list := range arrivals {
		slices.SortFunc(list, arrival.compare)
	}
	originals := map[uuid.UUID]uuid.UUID{}
	for i := range events {
		e := &events[i]
		for _, a := range arrivals[requestOf(e)] {
			if a.at.Before(e.ReceivedAt.Add(-duplicateWindow)) {
				continue
			}
			if a.id != e.ID {
				originals[e.ID] = a.id
			}
			break
		}
	}
	return originals
}

func requestOf(e *event.Event) request {
	return request{e.Source, e.EventAt.UnixMicro(), hex.EncodeToString(e.BodySHA256[:])}
}

// StoredEvents returns which of the ids are in the table events.
func (s *Store) StoredEvents(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	stored := map[uuid.UUID]bool{}
	for part := range slices.Chunk(ids, maxParameters) {
		if err := s.addStoredIDs(ctx, part, stored); err != nil {
			return nil, explain("find stored events", err)
		}
	}
	return stored, nil
}

func (s *Store) addStoredIDs(ctx context.Context, ids []uuid.UUID, stored map[uuid.UUID]bool) error {
	where := &conditions{}
	where.identified(ids)
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT id FROM events WHERE %s", where), where.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		stored[id] = true
	}
	return rows.Err()
}
