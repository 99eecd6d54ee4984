package event

import (
	"time"

	"github.com/google/uuid"
)

func init() { uuid.EnableRandPool() } // one system call for 16 ids

// NewID returns an event's id: a UUIDv7 (RFC 9562) of exactly the millisecond of receipt, so the id tells when to
// search. The library's own V7 does not follow a clock that is set back.
func NewID(received time.Time) uuid.UUID { return StampID(uuid.New(), received) }

// StampID returns an event's id for given random bits: reproducible, for generated histories.
func StampID(random uuid.UUID, received time.Time) uuid.UUID {
	id := random
	ms := uint64(received.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// IDRange returns the times between which events with these ids were received. It is not ok if NewID cannot have made
// one of them.
func IDRange(ids []uuid.UUID) (from, to time.Time, ok bool) {
	for i, id := range ids {
		if id.Version() != 7 {
			return from, to, false
		}
		var ms int64
		for _, b := range id[:6] {
			ms = ms<<8 | int64(b)
		}
		at := time.UnixMilli(ms)
		if i == 0 || at.Before(from) {
			from = at
		}
		if i == 0 || at.After(to) {
			to = at
		}
	}
	return from, to.Add(time.Millisecond), len(ids) > 0 && to.Year() < 2100
}
