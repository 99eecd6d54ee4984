package event

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states.
const (
	Pending    DeliveryState = "pending"    // not tried yet
	Delivering DeliveryState = "delivering" // sent, the answer not known yet
	Retrying   DeliveryState = "retrying"   // failed, tried again at NextAt
	Unknown    DeliveryState = "unknown"    // the process died between sending and noting; sent again
	Delivered  DeliveryState = "delivered"
	Failed     DeliveryState = "failed"
	Cancelled  DeliveryState = "cancelled"
)

// FinalStates are the states after which nothing more happens to a delivery.
var FinalStates = []DeliveryState{Delivered, Failed, Cancelled}

// Final reports whether nothing more will happen to a delivery in this state.
func (s DeliveryState) Final() bool { return slices.Contains(FinalStates, s) }

// DeliveryKey names a delivery: one event on its way to one endpoint, in one replay or live (the zero UUID).
type DeliveryKey struct {
	ReplayID uuid.UUID `cbor:"1,keyasint"`
	Endpoint string    `cbor:"2,keyasint"`
	EventID  uuid.UUID `cbor:"3,keyasint"`
}

// AttemptID is the id of the delivery's number-th attempt: the same before and after a crash.
func (k DeliveryKey) AttemptID(number uint32) uuid.UUID {
	name := make([]byte, 0, 64)
	name = append(name, k.EventID[:]...)
	name = append(name, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	name = append(name, k.Endpoint...)
	return uuid.NewSHA1(k.ReplayID, name)
}

// IdempotencyKey is the same over all attempts and replays of an event to an endpoint, so that a receiver that has
// processed the event may drop it.
func (k DeliveryKey) IdempotencyKey() string {
	return uuid.NewSHA1(k.EventID, []byte(k.Endpoint)).String()
}

// Delivery is the state of one event's way to one endpoint.
type Delivery struct {
	DeliveryKey     `cbor:"1,keyasint"`
	EventReceivedAt time.Time     `cbor:"2,keyasint"`
	State           DeliveryState `cbor:"3,keyasint"`
	Attempts        uint32        `cbor:"4,keyasint"` // begun so far
	NextAt          time.Time     `cbor:"5,keyasint"` // of the next attempt; zero when none is due
	StatusCode      uint16        `cbor:"6,keyasint"` // of the last answer; 0 when there was none
	Error           string        `cbor:"7,keyasint"` // why the last attempt failed
	UpdatedAt       time.Time     `cbor:"8,keyasint"`
	// Subscriber is whom the event is about: BotHelp's id, else the messenger's, else the event's own. What has the same
	// one keeps its order where an endpoint asks for that.
	Subscriber string    `cbor:"9,keyasint"`
	CreatedAt  time.Time `cbor:"10,keyasint"` // when the delivery was decided on; its age counts from here
	// PositionOffset is that of the event.
	PositionOffset time.Duration `cbor:"11,keyasint,omitempty"`
}

// Position orders deliveries as their events arrived: see Event.Position.
func (d *Delivery) Position() time.Time { return d.EventReceivedAt.Add(d.PositionOffset) }

// Version is the delivery's VersionOf.
func (d *Delivery) Version() uint64 { return VersionOf(d.Attempts, d.State) }

// VersionOf orders the states of one delivery, by its attempts begun and its state: the higher one is the newer. It needs no
// clock: a delivery waits, then each attempt begins, may be lost from sight, and ends.
func VersionOf(attempts uint32, state DeliveryState) uint64 {
	step := map[DeliveryState]uint64{Pending: 0, Delivering: 1, Unknown: 2, Retrying: 3, Failed: 4, Delivered: 4, Cancelled: 5}
	return uint64(attempts)*8 + step[state]
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes. Each but OutcomeDelivered comes with a text in Attempt.Error.
const (
	OutcomeDelivered  Outcome = "delivered"      // answered 2xx
	OutcomeStatus     Outcome = "bad_status"     // answered something else
	OutcomeTimeout    Outcome = "timeout"        // no whole answer in time
	OutcomeNoConn     Outcome = "no_connection"  // name not found, refused, TLS failed
	OutcomeBroken     Outcome = "broken_answer"  // connection broke, or the answer is no HTTP
	OutcomeForbidden  Outcome = "forbidden_addr" // the address is private and that is not allowed
	OutcomeImpossible Outcome = "impossible"     // no request can be made of the event
	OutcomeUnknown    Outcome = "unknown"        // the process died before it could note the answer
)

// OK tells whether the endpoint has taken the event.
func (o Outcome) OK() bool { return o == OutcomeDelivered }

// Attempt is one sending of one event to one endpoint, and what came back.
type Attempt struct {
	ID              uuid.UUID     `cbor:"1,keyasint"`
	EventID         uuid.UUID     `cbor:"2,keyasint"`
	Endpoint        string        `cbor:"3,keyasint"`
	URL             string        `cbor:"4,keyasint"`
	ReplayID        uuid.UUID     `cbor:"5,keyasint"`
	Number          uint32        `cbor:"6,keyasint"` // 1 is the first
	StartedAt       time.Time     `cbor:"7,keyasint"`
	Duration        time.Duration `cbor:"8,keyasint"`
	Outcome         Outcome       `cbor:"9,keyasint"`
	StatusCode      uint16        `cbor:"10,keyasint"`
	Error           string        `cbor:"11,keyasint"`
	ResponseHeaders []Header      `cbor:"12,keyasint"`
	ResponseBody    []byte        `cbor:"13,keyasint"` // its first 16 KiB
	TraceID         [16]byte      `cbor:"14,keyasint"`
	// RequestHeaders are those that were sent, by name; what the configuration or a replay sets, and a signature, is masked.
	// There are none of an attempt whose process died, nor of those made before hooktape kept them.
	RequestHeaders []Header `cbor:"15,keyasint,omitempty"`
}
