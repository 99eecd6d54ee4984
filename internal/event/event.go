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

// Verdict is the decision of ingest about a request. Only Accepted events are decoded and counted, and only they are
// forwarded, unless somebody with the role admin says otherwise: see Acceptance and ReplayOptions.IncludeRejected.
type Verdict string

// The verdicts, with the HTTP status of the answer.
const (
	Accepted         Verdict = "accepted"           // 200
	BadSignature     Verdict = "bad_signature"      // 401
	UnknownSource    Verdict = "unknown_source"     // 404
	BadToken         Verdict = "bad_token"          // 404
	TooLarge         Verdict = "too_large"          // 413
	MethodNotAllowed Verdict = "method_not_allowed" // 405
	Aborted          Verdict = "aborted"            // the client disconnected in the middle of the body
	// Malformed is not valid HTTP: 400, 417, 431, 501 or 505. The event's body is the start of the request.
	Malformed Verdict = "malformed"
)

// Verdicts lists every verdict, Accepted first.
var Verdicts = []Verdict{Accepted, BadSignature, UnknownSource, BadToken, TooLarge, MethodNotAllowed, Aborted,
	Malformed}

// Kind is the type of a BotHelp request, derived from its body.
type Kind string

// The kinds. A body without a chat event that looks like a subscriber is a flow webhook; all others are unknown.
const (
	KindFlow               Kind = "flow"
	KindConversationClosed Kind = "conversation_closed"
	KindUserProfileViewed  Kind = "user_profile_viewed"
	KindUnknown            Kind = "unknown"
)

// Kinds lists every kind.
var Kinds = []Kind{KindFlow, KindConversationClosed, KindUserProfileViewed, KindUnknown}

// Event is one request to a hook, with the fields parsed from it.
type Event struct {
	Received
	Decoded
	// BodyText is the readable text of the body, for searches, of an event that was rejected or has a DecodeError; ""
	// if the body itself is readable. It is only written.
	BodyText string
	// StoredAt is when ClickHouse stored the event; zero before.
	StoredAt time.Time
	// Spool and SpoolNumber are the event's place in the sequence of its spool, in order of receipt; "" and 0 for an
	// event without a spool.
	Spool       string
	SpoolNumber uint64
	// PositionOffset is the difference from ReceivedAt to the event's position: see Position.
	PositionOffset time.Duration
	// DuplicateOf is the original of which this event is BotHelp's retry; the zero UUID for an original.
	DuplicateOf uuid.UUID
	Acceptance  Acceptance
}

// Position is the event's place in order of arrival: its time of receipt, or right after the event before it in its
// spool if the clock, or the order in which requests ended, disagrees.
func (e *Event) Position() time.Time { return e.ReceivedAt.Add(e.PositionOffset) }

// Received is a request as it arrived, without parsed fields. The spool stores it.
//
// Body, Query and headers are the sender's bytes; in Path the hook token is masked.
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
	BodySHA256 [32]byte   `cbor:"12,keyasint"` // of Body, computed on arrival
	TraceID    [16]byte   `cbor:"13,keyasint"`
	SpanID     [8]byte    `cbor:"14,keyasint"`
	Untraced   bool       `cbor:"15,keyasint,omitempty"` // the span is dropped; only the spool has this
}

// EmptyHash is the BodySHA256 of a request without a body.
var EmptyHash = sha256.Sum256(nil)

// BodyGone reports whether the body of a complete event was removed after receipt. Only its hash is left then, and the
// event must not be sent.
func (r *Received) BodyGone() bool { return len(r.Body) == 0 && r.BodySHA256 != EmptyHash }

// Header is one header line. A name that occurs twice has two entries. In JSON, a value that is not UTF-8 is in
// value_base64 instead of value.
type Header struct {
	_     struct{} `cbor:",toarray"`
	Name  string   `json:"name" yaml:"name" doc:"Its name."`
	Value string   `json:"value" yaml:"value" doc:"Its value, if it is UTF-8."`
}

// Decoded has the parsed fields of a body. An empty string or a nil pointer means absent, null or unreadable;
// DecodeError explains unreadable values.
type Decoded struct {
	Kind Kind
	// EventAt is the event's own time; nil if it has none.
	EventAt *time.Time `json:"event_at"`

	BothelpUserID     string `json:"bothelp_user_id"` // stable id of a subscriber
	MessengerUserID   string `json:"messenger_user_id"`
	MessengerUsername string `json:"messenger_username"`
	CUID              string `json:"cuid"`
	Ref               string `json:"ref"`
	Name              string `json:"name"`
	FirstName         string `json:"first_name"`
	LastName          string `json:"last_name"`
	Email             string `json:"email"`
	Phone             string `json:"phone"`
	ProfileLink       string `json:"profile_link"`
	Channel           string `json:"channel"` // "telegram", "vk", "facebook", …; from ProfileLink

	ConversationsCount *uint64    `json:"conversations_count"`
	CreatedAt          *time.Time `json:"created_at"`
	FirstContactAt     *time.Time `json:"first_contact_at"`
	LastContactAt      *time.Time `json:"last_contact_at"`

	UTMSource   string `json:"utm_source"`
	UTMMedium   string `json:"utm_medium"`
	UTMCampaign string `json:"utm_campaign"`
	UTMContent  string `json:"utm_content"`
	UTMTerm     string `json:"utm_term"`

	// Fields has all other values by the name that the account's owner chose: strings unchanged, other values as JSON.
	Fields map[string]string
	// DecodeError says which key, or that the whole body, could not be read, and why; empty without errors.
	DecodeError string
}

var (
	// Encoding writes spool records: CBOR (RFC 8949) with times to the nanosecond.
	Encoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	// Decoding reads spool records. Strings may have bytes that are not UTF-8, as they arrived.
	Decoding = must(cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode())
)

// A spool record is Received in CBOR with integer keys. Later versions add keys and never change the meaning of one,
// so a new program reads the records of an old one.

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

// Record is a record of ingest's spool: a request, the outcome of a forwarded request, or a request that was not
// forwarded together with its outcome.
type Record struct {
	Received          // zero in a record that has only an outcome
	Outcome  *Attempt `cbor:"16,keyasint,omitempty"`
}

// Marshal encodes a record for the spool. That of a request alone is the same as of [Received.Marshal].
func (r *Record) Marshal() ([]byte, error) {
	if r.ID == uuid.Nil {
		return Encoding.Marshal(struct {
			Outcome *Attempt `cbor:"16,keyasint"`
		}{r.Outcome})
	}
	return Encoding.Marshal(r)
}

// Unmarshal decodes what Marshal wrote.
func (r *Record) Unmarshal(data []byte) error {
	if err := Decoding.Unmarshal(data, r); err != nil {
		return fmt.Errorf("decode spooled record: %w", err)
	}
	return nil
}

// jsonHeader is the JSON form of Header.
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
