package event

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
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

// IsID reports whether a text is the whole id of an object, in any case.
func IsID(kind Named, text string) bool {
	if kind == NamesDelivery {
		_, err := ParseDeliveryID(text)
		return err == nil
	}
	return len(text) == len(uuid.Nil.String()) && uuid.Validate(text) == nil // which accepts longer forms too
}

// IDRange returns the times between which events with these ids were received; until is excluded. It is not ok if NewID
// cannot have made one of them.
func IDRange(ids []uuid.UUID) (from, until time.Time, ok bool) {
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, id := range ids {
		if id.Version() != 7 {
			return from, until, false
		}
		ms := binary.BigEndian.Uint64(id[:8]) >> 16
		first, last = min(first, ms), max(last, ms)
	}
	if len(ids) == 0 {
		return from, until, false
	}
	return timesOf(first, last)
}

// PrefixRange is IDRange for all ids that begin with a text of hexadecimal digits and dashes.
func PrefixRange(prefix string) (from, until time.Time, ok bool) {
	const timeDigits = 12
	digits := strings.ReplaceAll(prefix, "-", "")
	digits = digits[:min(len(digits), timeDigits)]
	rest := timeDigits - len(digits)
	first, err := strconv.ParseUint(digits+strings.Repeat("0", rest), 16, 64)
	if err != nil {
		return from, until, false
	}
	return timesOf(first, first+1<<(4*rest)-1)
}

// timesOf returns the times from the first to the last millisecond of receipt, as ids have them. It is not ok for times
// that NewID cannot have been given.
func timesOf(first, last uint64) (from, until time.Time, ok bool) {
	from, until = time.UnixMilli(int64(first)).UTC(), time.UnixMilli(int64(last)+1).UTC()
	return from, until, until.Year() < 2100
}
