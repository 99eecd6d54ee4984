package api

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/store"
)

// A cursor is the place of the last event of a page: the microsecond of its receiving and its id. It stays right while
// events come in, and when many were received at one time.

func encodeCursor(c store.Cursor) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.At.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID[:]...))
}

// decodeCursor returns nil for the beginning.
func decodeCursor(s string) (*store.Cursor, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 24 {
		return nil, problem(http.StatusUnprocessableEntity, "the cursor is none that hooktape has given out")
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	if at.Year() < 1970 || at.Year() > 2299 { // what ClickHouse can hold
		return nil, problem(http.StatusUnprocessableEntity, "the cursor is none that hooktape has given out")
	}
	return &store.Cursor{At: at, ID: uuid.UUID(b[8:])}, nil
}
