package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states.
const (
	Pending    DeliveryState = "pending"    // not tried yet
	Delivering DeliveryState = "delivering" // sent, answer not known yet
	Retrying   DeliveryState = "retrying"   // failed, to be tried again at NextAt
	Unknown    DeliveryState = "unknown"    // the process died before it recorded the outcome; to be sent again
	Delivered  DeliveryState = "delivered"
	Failed     DeliveryState = "failed"
	Cancelled  DeliveryState = "cancelled"
)

// DeliveryStates lists the states, in the order in which a delivery passes them.
var DeliveryStates = []DeliveryState{Pending, Delivering, Retrying, Unknown, Delivered, Failed, Cancelled}

// FinalStates are the states in which a delivery stays.
var FinalStates = []DeliveryState{Delivered, Failed, Cancelled}

// Final reports whether a delivery stays in this state.
func (s DeliveryState) Final() bool { return slices.Contains(FinalStates, s) }

// Open returns the number of deliveries, counted by their states, that are not final.
func Open(counts map[DeliveryState]uint64) (n uint64) {
	for state, count := range counts {
		if !state.Final() {
			n += count
		}
	}
	return n
}

// DeliveryKey identifies a delivery: of one event to one endpoint, live (the zero UUID) or in one replay.
type DeliveryKey struct {
	ReplayID uuid.UUID `cbor:"1,keyasint"`
	Endpoint string    `cbor:"2,keyasint"`
	EventID  uuid.UUID `cbor:"3,keyasint"`
}

// AttemptID returns the id of the delivery's number-th attempt: the same before and after a crash.
func (k DeliveryKey) AttemptID(number uint32) uuid.UUID {
	name := make([]byte, 0, 64)
	name = append(name, k.EventID[:]...)
	name = append(name, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	name = append(name, k.Endpoint...)
	return uuid.NewSHA1(k.ReplayID, name)
}

// ForwardID returns the id of the only attempt to forward an event to an endpoint.
func ForwardID(eventID uuid.UUID, endpoint string) uuid.UUID {
	return uuid.NewSHA1(eventID, []byte(string(AttemptForward)+" "+endpoint))
}

// IdempotencyKey returns the same key for all attempts and replays of an event to an endpoint, so a receiver that has
// processed the event can drop repetitions.
func (k DeliveryKey) IdempotencyKey() string {
	return uuid.NewSHA1(k.EventID, []byte(k.Endpoint)).String()
}

// DeliveryID identifies a delivery in one text, such as 019a2b3c-4d5e-7f60-8123-456789abcdef-1a2b3c4d: its event, and
// eight hex digits that tell the deliveries of one event apart.
type DeliveryID struct {
	Event uuid.UUID
	Fork  string
}

// String returns the text.
func (id DeliveryID) String() string { return id.Event.String() + "-" + id.Fork }

// ParseDeliveryID parses the text, in any case.
func ParseDeliveryID(text string) (id DeliveryID, err error) {
	const eventLength = 36
	if m := deliveryID.FindStringSubmatch(strings.ToLower(text)); m != nil {
		id.Event, err = uuid.Parse(m[1][:eventLength])
		id.Fork = m[2]
		return id, err
	}
	return id, fmt.Errorf("invalid delivery id %.80q: want an event's id and eight hex digits", text)
}

var deliveryID = regexp.MustCompile(`^([0-9a-f-]{36})-([0-9a-f]{8})$`)

// ID returns the delivery's id.
func (k DeliveryKey) ID() DeliveryID {
	sum := sha256.Sum256([]byte(k.ReplayID.String() + k.Endpoint))
	return DeliveryID{k.EventID, hex.EncodeToString(sum[:4])}
}

// Delivery is the delivery of one event to one endpoint.
type Delivery struct {
	DeliveryKey     `cbor:"1,keyasint"`
	EventReceivedAt time.Time     `cbor:"2,keyasint"`
	State           DeliveryState `cbor:"3,keyasint"`
	Attempts        uint32        `cbor:"4,keyasint"` // started so far
	NextAt          time.Time     `cbor:"5,keyasint"` // of the next attempt; zero if none is due
	StatusCode      uint16        `cbor:"6,keyasint"` // of the last answer; 0 if there was none
	Error           string        `cbor:"7,keyasint"` // why the last attempt failed
	UpdatedAt       time.Time     `cbor:"8,keyasint"`
	// Subscriber is the person of the event: BotHelp's id, else the messenger's, else the event's own. Deliveries with
	// the same one are sent in order if the endpoint asks for that.
	Subscriber string    `cbor:"9,keyasint"`
	CreatedAt  time.Time `cbor:"10,keyasint"` // its age counts from here
	// PositionOffset is the event's.
	PositionOffset time.Duration `cbor:"11,keyasint,omitempty"`
	// FirstAttemptAt and LastAttemptAt are when the first and the last attempt began; zero before the first one.
	FirstAttemptAt time.Time `cbor:"12,keyasint,omitzero"`
	LastAttemptAt  time.Time `cbor:"13,keyasint,omitzero"`
	Outcome        Outcome   `cbor:"14,keyasint,omitempty"` // of the last attempt
	// Answer is the first line of the last answer's body; see FirstLine.
	Answer string `cbor:"15,keyasint,omitempty"`
}

// Position orders deliveries as their events arrived: see Event.Position.
func (d *Delivery) Position() time.Time { return d.EventReceivedAt.Add(d.PositionOffset) }

// Version returns the delivery's VersionOf.
func (d *Delivery) Version() uint64 { return VersionOf(d.Attempts, d.State) }

// VersionOf orders the states of one delivery by its attempts and its state: the higher version is the newer one. It
// needs no clock: after pending, each attempt starts, may become unknown, and ends.
func VersionOf(attempts uint32, state DeliveryState) uint64 {
	step := map[DeliveryState]uint64{Pending: 0, Delivering: 1, Unknown: 2, Retrying: 3, Failed: 4, Delivered: 4,
		Cancelled: 5}
	return uint64(attempts)*8 + step[state]
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes. Each but OutcomeDelivered has a text in Attempt.Error.
const (
	OutcomeDelivered  Outcome = "delivered"      // answered 2xx
	OutcomeStatus     Outcome = "bad_status"     // another status
	OutcomeTimeout    Outcome = "timeout"        // no complete answer in time
	OutcomeNoConn     Outcome = "no_connection"  // name not found, refused, TLS failed
	OutcomeBroken     Outcome = "broken_answer"  // the connection broke, or the answer is not HTTP
	OutcomeForbidden  Outcome = "forbidden_addr" // the address is private and not allowed
	OutcomeImpossible Outcome = "impossible"     // the event cannot become a request
	OutcomeUnknown    Outcome = "unknown"        // the process died before it recorded the answer
	OutcomeNotSent    Outcome = "not_sent"       // only of AttemptForward: the bot got the fallback at once
)

// Outcomes lists the outcomes.
var Outcomes = []Outcome{OutcomeDelivered, OutcomeStatus, OutcomeTimeout, OutcomeNoConn, OutcomeBroken,
	OutcomeForbidden, OutcomeImpossible, OutcomeUnknown, OutcomeNotSent}

// OK reports whether the endpoint accepted the event.
func (o Outcome) OK() bool { return o == OutcomeDelivered }

// AttemptKind says on whose behalf an attempt was made.
type AttemptKind string

// The kinds.
const (
	AttemptDelivery AttemptKind = "delivery" // live delivery or a replay
	AttemptForward  AttemptKind = "forward"  // a request of a bot, which waited for the answer
)

// Fallback is the reason why a bot got the source's fallback instead of the endpoint's answer.
type Fallback string

// The reasons. FallbackNone is that of an attempt whose answer the bot got.
const (
	FallbackNone     Fallback = ""
	FallbackDeadline Fallback = "deadline"  // no answer in time
	FallbackRefused  Fallback = "refused"   // no connection
	FallbackFailing  Fallback = "failing"   // the circuit breaker is open
	FallbackInFlight Fallback = "in_flight" // too many requests wait for their answer
	FallbackError    Fallback = "error"     // any other failure before the header of the answer
)

// Fallbacks lists every reason.
var Fallbacks = []Fallback{FallbackDeadline, FallbackRefused, FallbackFailing, FallbackInFlight, FallbackError}

// Attempt is one request with one event to one endpoint, and its answer.
type Attempt struct {
	ID              uuid.UUID     `cbor:"1,keyasint"`
	EventID         uuid.UUID     `cbor:"2,keyasint"`
	Endpoint        string        `cbor:"3,keyasint"`
	URL             string        `cbor:"4,keyasint"`
	ReplayID        uuid.UUID     `cbor:"5,keyasint"`
	Number          uint32        `cbor:"6,keyasint"` // from 1
	StartedAt       time.Time     `cbor:"7,keyasint"`
	Duration        time.Duration `cbor:"8,keyasint"`
	Outcome         Outcome       `cbor:"9,keyasint"`
	StatusCode      uint16        `cbor:"10,keyasint"`
	Error           string        `cbor:"11,keyasint"`
	ResponseHeaders []Header      `cbor:"12,keyasint"`
	ResponseBody    []byte        `cbor:"13,keyasint"` // first 16 KiB
	TraceID         [16]byte      `cbor:"14,keyasint"`
	// RequestHeaders are the sent headers by name. Values from the configuration or a replay, and signatures, are
	// masked. An attempt whose process died has none, nor have those of versions that did not keep them.
	RequestHeaders []Header `cbor:"15,keyasint,omitempty"`
	// Kind is AttemptDelivery if empty. Only attempts of AttemptForward have the fields after it; their ReplayID is the
	// zero UUID and their Number 1.
	Kind        AttemptKind `cbor:"16,keyasint,omitempty"`
	Fallback    Fallback    `cbor:"17,keyasint,omitempty"`
	MissingKeys []string    `cbor:"18,keyasint,omitempty"` // expected keys that the answer does not have
	// ResponseBytes is the size of the answer's body, of which ResponseBody is the start.
	ResponseBytes uint64 `cbor:"19,keyasint,omitempty"`
	// Overhead is the time from the end of the bot's request to the end of its answer, without the time spent waiting
	// for the endpoint.
	Overhead time.Duration `cbor:"20,keyasint,omitempty"`
	Source   string        `cbor:"21,keyasint,omitempty"` // of the bot's request
}

// BrokenOff reports whether the bot of an attempt of AttemptForward got neither a whole answer nor the fallback: the
// answer broke off, or hooktape was stopped before it recorded what the bot got.
func BrokenOff(f Fallback, o Outcome) bool {
	return f == FallbackNone && slices.Contains(BrokenOutcomes, o)
}

// BrokenOutcomes lists the outcomes of BrokenOff.
var BrokenOutcomes = []Outcome{OutcomeTimeout, OutcomeBroken, OutcomeUnknown}

// maxLine is the length of FirstLine in bytes.
const maxLine = 200

// FirstLine returns the first line of an answer's body that is not blank: valid UTF-8, at most 200 bytes.
func FirstLine(body []byte) string {
	for line := range bytes.Lines(body[:min(len(body), 4096)]) {
		text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD"))
		if len(text) > maxLine {
			text = strings.ToValidUTF8(text[:maxLine-len("…")], "") + "…"
		}
		if text != "" {
			return text
		}
	}
	return ""
}
