package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
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
	oldest := events[0].ReceivedAt
	hashes := make([]string, 0, len(events))
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
			return nil, err
		}
	}
	return firsts(events, arrivals), nil
}

// addStored adds the stored arrivals of the requests with these hashes.
func (s *Store) addStored(ctx context.Context, since time.Time, hashes []string, arrivals map[request][]arrival) error {
	where := &conditions{}
	where.addTime("received_at >= {}", since)
	where.add("body_sha256 IN {}", "Array(String)", hashes)
	where.require("verdict = 'accepted'")
	type row struct {
		request
		arrival
	}
	rows, err := collect(ctx, s.conn, "find duplicates",
		"SELECT source, event_at, body_sha256, received_at, id FROM events WHERE "+where.String(), where.args,
		func(rows driver.Rows, r *row) error {
			var eventAt time.Time
			err := rows.Scan(&r.source, &eventAt, &r.sha256, &r.at, &r.id)
			r.eventAt = eventAt.UnixMicro()
			return err
		})
	for _, r := range rows {
		if _, ours := arrivals[r.request]; ours {
			arrivals[r.request] = append(arrivals[r.request], r.arrival)
		}
	}
	return err
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
		where := &conditions{}
		where.identified(part)
		if err := s.addIDs(ctx, "events", where, stored); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// addIDs adds the ids of a table's rows that match the conditions.
func (s *Store) addIDs(ctx context.Context, table string, where *conditions, ids map[uuid.UUID]bool) error {
	found, err := collect(ctx, s.conn, "find stored "+table, "SELECT id FROM "+table+" WHERE "+where.String(),
		where.args, scanID)
	for _, id := range found {
		ids[id] = true
	}
	return err
}

func scanID(rows driver.Rows, id *uuid.UUID) error { return rows.Scan(id) }
