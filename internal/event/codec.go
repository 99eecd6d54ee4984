package event

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Encoding and Decoding are how spool records are written and read: CBOR (RFC 8949) with times to the nanosecond. Texts may hold bytes
// that are no UTF-8: they came so, they are kept so.
var (
	Encoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	Decoding = must(cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode())
)

// A spool record is the CBOR (RFC 8949) of Received with integer keys: later versions add keys, none changes its
// meaning, so that a new binary reads what an old one left on disk.

// Marshal encodes a request for the spool.
func (r *Received) Marshal() ([]byte, error) { return Encoding.Marshal(r) }

// Unmarshal decodes what Marshal wrote.
func (r *Received) Unmarshal(data []byte) error {
	if err := Decoding.Unmarshal(data, r); err != nil {
		return fmt.Errorf("decode spooled request: %w", err)
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
