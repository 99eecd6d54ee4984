package event

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// Verdict is what ingest decided about a request. Only Accepted events are decoded, counted and ever forwarded.
type Verdict string

// The verdicts, with the HTTP status that the sender saw.
const (
	Accepted         Verdict = "accepted"           // 200
	BadSignature     Verdict = "bad_signature"      // 401
	UnknownSource    Verdict = "unknown_source"     // 404
	BadToken         Verdict = "bad_token"          // 404
	TooLarge         Verdict = "too_large"          // 413
	MethodNotAllowed Verdict = "method_not_allowed" // 405
	Aborted          Verdict = "aborted"            // the sender left in mid-body
	// Malformed is not HTTP as any parser reads it: 400, 417, 431, 501 or 505. The event's body is the start of the request.
	Malformed Verdict = "malformed"
)

// Verdicts lists every verdict, the good one first.
var Verdicts = []Verdict{Accepted, BadSignature, UnknownSource, BadToken, TooLarge, MethodNotAllowed, Aborted, Malformed}

// Kind is what BotHelp meant by a request, read from its body.
type Kind string

// The kinds. A body that names no chat event and looks like a subscriber is a flow webhook; all else is unknown.
const (
	KindFlow               Kind = "flow"
	KindConversationClosed Kind = "conversation_closed"
	KindUserProfileViewed  Kind = "user_profile_viewed"
	KindUnknown            Kind = "unknown"
)

// Kinds lists every kind.
var Kinds = []Kind{KindFlow, KindConversationClosed, KindUserProfileViewed, KindUnknown}

// Event is one request to a hook: how it arrived, and what could be read from it.
type Event struct {
	Received
	Decoded
	// BodyText is the readable text of the body, for searches, of an event that was rejected or has a DecodeError; "" where that is
	// the body itself. It is stored and never read back.
	BodyText string
	// StoredAt is when ClickHouse took the event; zero until then.
	StoredAt time.Time
	// Spool and SpoolNumber are the event's place in the sequence of the spool that it came through, in order of receipt;
	// "" and 0 for an event that came through none.
	Spool       string
	SpoolNumber uint64
	// PositionOffset is how much later than ReceivedAt the event's position is: see Position.
	PositionOffset time.Duration
	// DuplicateOf is the first event of which this one is BotHelp's retry; the zero UUID for an original.
	DuplicateOf uuid.UUID
}

// Position is where the event stands in order of arrival: when it was received, or right behind the event before it in its
// spool if the clock, or the order in which requests ended, says otherwise.
func (e *Event) Position() time.Time { return e.ReceivedAt.Add(e.PositionOffset) }

// Received is a request as it came, before anything was read from it. It is what the spool keeps.
//
// Body, Query and the headers are byte for byte what the sender wrote; Path has the hook token masked.
type Received struct {
	ID         uuid.UUID  `cbor:"1,keyasint"` // UUIDv7
	ReceivedAt time.Time  `cbor:"2,keyasint"` // UTC, microseconds
	Source     string     `cbor:"3,keyasint"`
	Step       string     `cbor:"4,keyasint,omitempty"`
	Verdict    Verdict    `cbor:"5,keyasint"`
	Method     string     `cbor:"6,keyasint"`
	Path       string     `cbor:"7,keyasint"`
	Query      string     `cbor:"8,keyasint,omitempty"` // without the question mark
	RemoteIP   netip.Addr `cbor:"9,keyasint"`
	Headers    []Header   `cbor:"10,keyasint,omitempty"`
	Body       []byte     `cbor:"11,keyasint,omitempty"`
	BodySHA256 [32]byte   `cbor:"12,keyasint"` // of the bytes in Body, taken on arrival
	TraceID    [16]byte   `cbor:"13,keyasint"`
	SpanID     [8]byte    `cbor:"14,keyasint"`
	Untraced   bool       `cbor:"15,keyasint,omitempty"` // the span is not kept; only the spool knows
}

// EmptyHash is the BodySHA256 of a request without a body.
var EmptyHash = sha256.Sum256(nil)

// BodyGone tells of an event that was read whole whether its body has been removed since it came: then only the hash is
// left of it, and nothing may be sent in its name.
func (r *Received) BodyGone() bool { return len(r.Body) == 0 && r.BodySHA256 != EmptyHash }

// Header is one header line. A name that came twice stands twice. In JSON, a value that is not UTF-8 stands as value_base64 in
// place of value.
type Header struct {
	_     struct{} `cbor:",toarray"`
	Name  string   `json:"name"`
	Value string   `json:"value"`
}

// Decoded is what could be read from a body. An empty string or a nil pointer means absent, null or unreadable;
// the last of these DecodeError explains.
type Decoded struct {
	Kind Kind
	// EventAt is the event's own time, nil where it has none.
	EventAt *time.Time

	BothelpUserID     string // the stable key of a subscriber
	MessengerUserID   string
	MessengerUsername string
	CUID              string
	Ref               string
	Name              string
	FirstName         string
	LastName          string
	Email             string
	Phone             string
	ProfileLink       string
	Channel           string // "telegram", "vk", "facebook", …; from ProfileLink

	ConversationsCount *uint64
	CreatedAt          *time.Time
	FirstContactAt     *time.Time
	LastContactAt      *time.Time

	UTMSource   string
	UTMMedium   string
	UTMCampaign string
	UTMContent  string
	UTMTerm     string

	// Fields has everything else by the name that its owner gave it: strings as they are, other values as JSON text.
	Fields map[string]string
	// DecodeError says which key (or that the whole body) could not be read, and why; empty when all could.
	DecodeError string
}

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

// jsonHeader is a Header as JSON has it.
type jsonHeader struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	ValueBase64 []byte `json:"value_base64,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (h Header) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(h.Value) {
		return json.Marshal(jsonHeader{Name: h.Name, Value: h.Value})
	}
	return json.Marshal(jsonHeader{Name: h.Name, ValueBase64: []byte(h.Value)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Header) UnmarshalJSON(text []byte) error {
	var j jsonHeader
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*h = Header{Name: j.Name, Value: j.Value}
	if len(j.ValueBase64) > 0 {
		h.Value = string(j.ValueBase64)
	}
	return nil
}
