package api

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"
)

// encodeCursor encodes the place of a page's last row: its microsecond, and what tells rows of one microsecond apart.
// The cursor stays valid while rows are added.
func encodeCursor(at time.Time, id []byte) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, id...))
}

// decodeCursor passes the parts of a cursor to read, whose id has one of the sizes. It returns nil for the empty
// cursor.
func decodeCursor[C any](s string, read func(at time.Time, id []byte) C, sizes ...int) (*C, error) {
	if s == "" {
		return nil, nil
	}
	const atSize = 8
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || !slices.Contains(sizes, len(b)-atSize) {
		return nil, errCursor
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	if at.Year() < 1970 || at.Year() > 2299 { // the range of ClickHouse
		return nil, errCursor
	}
	c := read(at, b[atSize:])
	return &c, nil
}

var errCursor = Invalidf("invalid cursor: want the next of a page")
