package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/test/load"
)

// stored is an event in ClickHouse.
type stored struct {
	id   uuid.UUID
	rows uint64
	hash [32]byte // of the stored body, computed by ClickHouse
}

// count compares the ledger with the stored events. All bodies differ, so it also finds a request that is stored under
// two ids.
func (t *trial) count(ctx context.Context, ledger *load.Ledger, r *row) error {
	r.sent = ledger.Sent
	r.acknowledged = len(ledger.Acks)
	r.refused = refused(ledger)
	numbers := hashes(ledger.Next)
	acks := make(map[uuid.UUID]uint64, len(ledger.Acks))
	for _, ack := range ledger.Acks {
		acks[ack.ID] = ack.Number
	}
	ids := make(map[uint64]uuid.UUID, len(acks))
	missing := len(ledger.Acks) // including an id that two requests got
	err := t.eachStored(ctx, func(s stored) {
		r.stored++
		r.duplicated += int(s.rows) - 1
		number, sent := numbers[s.hash]
		if _, twice := ids[number]; sent && twice {
			r.duplicated++
		}
		ids[number] = s.id
		promised, acknowledged := acks[s.id]
		if !sent || acknowledged && promised != number {
			r.altered++
		}
		if acknowledged {
			missing--
		} else {
			r.unasked++
		}
	})
	r.lost = missing
	lost, more, failed := t.reported()
	r.reported, r.uncounted = lost, more
	return errors.Join(err, failed, t.readBack(ctx, ledger))
}

// hashes maps the hash of each body that may have been sent to its number.
func hashes(next uint64) map[[32]byte]uint64 {
	source := simulate.NewWebhooks(seed)
	numbers := make(map[[32]byte]uint64, next)
	var body []byte
	for number := range next {
		body = source.Append(body[:0], number)
		numbers[sha256.Sum256(body)] = number
	}
	return numbers
}

func (t *trial) eachStored(ctx context.Context, each func(stored)) error {
	return t.query(ctx, func(conn driver.Conn) error {
		rows, err := conn.Query(ctx, "SELECT id, count(), toString(any(SHA256(body))) FROM events GROUP BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s stored
			var hash string
			if err := rows.Scan(&s.id, &s.rows, &hash); err != nil {
				return err
			}
			copy(s.hash[:], hash)
			each(s)
		}
		return rows.Err()
	})
}

// samples is the number of acknowledged events that readBack reads.
const samples = 500

// readBack reads some acknowledged events with the store package, and compares body and body_sha256 with the sent ones.
func (t *trial) readBack(ctx context.Context, ledger *load.Ledger) error {
	db, err := store.Open(t.dsn())
	if err != nil {
		return err
	}
	defer db.Close()
	numbers := map[uuid.UUID]uint64{}
	var ids []uuid.UUID
	for i := 0; i < len(ledger.Acks); i += max(1, len(ledger.Acks)/samples) {
		ack := ledger.Acks[i]
		numbers[ack.ID] = ack.Number
		ids = append(ids, ack.ID)
	}
	events, err := db.Events(ctx, ids)
	if err != nil {
		return err
	}
	source := simulate.NewWebhooks(seed)
	for _, e := range events {
		body := source.Append(nil, numbers[e.ID])
		if !bytes.Equal(e.Body, body) || e.BodySHA256 != sha256.Sum256(body) {
			return fmt.Errorf("event %s is not what was sent:\n%s\n%x\n%s", e.ID, e.Body, e.BodySHA256, body)
		}
	}
	return nil
}

func refused(ledger *load.Ledger) (n int) {
	for _, answers := range ledger.Refused {
		n += answers
	}
	return n
}
