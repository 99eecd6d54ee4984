package store

import (
	"encoding/hex"

	"hooktape/internal/event"
)

// bodyGone is the condition that an event's body has expired: it had one, and only the hash is left.
// event.Received.BodyGone says the same in Go. ClickHouse keeps the lengths of texts apart, so that it reads no body for it.
var bodyGone = "(body = '' AND body_sha256 != '" + hex.EncodeToString(event.EmptyHash[:]) + "')"
