package event

import (
	"time"

	"github.com/google/uuid"
)

func init() { uuid.EnableRandPool() } // a system call for 16 ids, not for each

// NewID makes an event's id: a UUIDv7 (RFC 9562) of exactly the millisecond in which the event was received, so that who
// has the id knows where to look. (The library's own V7 never goes back when the clock does.)
func NewID(received time.Time) uuid.UUID { return StampID(uuid.New(), received) }

// StampID makes an event's id of given randomness: the same every time, for a history that is made rather than received.
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

// IDRange returns the times between which events with these ids were received. It is not ok for an id that NewID has
// not made.
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
