package event

import (
	"time"

	"github.com/google/uuid"
)

// ReplayState is where a replay stands.
type ReplayState string

// The states of a replay. Its selection is frozen before it exists.
const (
	ReplayRunning   ReplayState = "running"
	ReplayPaused    ReplayState = "paused"
	ReplayDone      ReplayState = "done"
	ReplayCancelled ReplayState = "cancelled"
)

// Final tells whether nothing more will happen to a replay in this state.
func (s ReplayState) Final() bool { return s == ReplayDone || s == ReplayCancelled }

// Order is what an endpoint or a replay promises about the order of events.
type Order string

// The orders.
const (
	// OrderNone sends events about in order of arrival, and lets none wait for another.
	OrderNone Order = "none"
	// OrderSubscriber sends a subscriber's events one after the other: the next one goes when the one before it is
	// delivered or given up. Those of others go at the same time.
	OrderSubscriber Order = "subscriber"
)

// Mode says which of the selected events a replay sends.
type Mode string

// The modes.
const (
	// ModeUndelivered leaves out what the endpoint has taken already, or is still on its way there.
	ModeUndelivered Mode = "undelivered"
	// ModeAll sends everything selected.
	ModeAll Mode = "all"
)

// Retry says what a replay does about attempts that fail.
type Retry string

// The ways to retry.
const (
	RetryEndpoint Retry = "endpoint" // as the endpoint's configuration says
	RetryNone     Retry = "none"     // one attempt
)

// Replay is a job that sends a frozen selection of events to one endpoint.
type Replay struct {
	ID        uuid.UUID `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	CreatedBy string    `json:"created_by"`
	// IdempotencyKey is what its maker called the making, so that doing it twice makes one replay.
	IdempotencyKey string      `json:"-"`
	State          ReplayState `json:"state"`
	Reason         string      `json:"reason,omitempty"` // why it is paused or cancelled
	Endpoint       string      `json:"endpoint"`
	URL            string      `json:"url"`
	Selection      Selection   `json:"selection"`
	// PublicOnly keeps a replay to a URL, in place of a configured endpoint, from private addresses, whatever the configuration
	// allows: its maker may not send there.
	PublicOnly bool `json:"-"`
	ReplayOptions
	Total uint64 `json:"total"` // deliveries frozen
	// Counts is how many deliveries are in each state, as of UpdatedAt.
	Counts map[DeliveryState]uint64 `json:"counts,omitempty"`
	// PerSecond is how many were settled a second of late.
	PerSecond float64 `json:"per_second"`
}

// ReplayOptions say how a replay runs.
type ReplayOptions struct {
	// Rate is the most requests a second; 0 means as fast as the endpoint answers.
	Rate float64 `json:"rate"`
	// Concurrency is the most requests at once; with 1 the events go out strictly in order of arrival.
	Concurrency uint16 `json:"concurrency"`
	Order       Order  `json:"order"`
	Mode        Mode   `json:"mode"`
	Retry       Retry  `json:"retry"`
	// MaxAttempts is the most attempts for each event; 0 is what the endpoint says.
	MaxAttempts uint16 `json:"max_attempts"`
	// Pace keeps the time between events as it was, divided by Pace; 0 does not.
	Pace float64 `json:"pace"`
	// StopAfterFailures pauses the replay after so many failed attempts in a row; 0 never does.
	StopAfterFailures uint32 `json:"stop_after_failures"`
	// Headers go out beside the event's own, and in place of those of the same name.
	Headers []Header `json:"headers,omitempty"`
}

// Open counts the deliveries that are not final.
func (r *Replay) Open() (open uint64) {
	for state, n := range r.Counts {
		if !state.Final() {
			open += n
		}
	}
	return open
}

// Action is something a person, or the program in a person's place, wants done to a replay or an endpoint.
type Action string

// The actions. Rate is for replays only.
const (
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionCancel Action = "cancel"
	ActionRate   Action = "set-rate"
)

// Command is an action that somebody took. Commands are only ever added: whoever does the work reads them, so that
// steering and the progress of the work never overwrite each other.
type Command struct {
	Target string // a replay's id, or an endpoint's name
	Action Action
	Rate   float64 // of ActionRate
	By     string
	Reason string
}

// EndpointState is where the delivery to an endpoint stands, as the process that delivers sees it.
type EndpointState struct {
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	// State is active, paused (by a person), broken (the breaker is open) or removed (from the configuration).
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Failures  uint32    `json:"failures"` // in a row
	NextProbe time.Time `json:"next_probe,omitzero"`
	// UpdatedAt is also the state's version: it is never before that of an earlier state, whatever the clock says.
	UpdatedAt time.Time `json:"updated_at"`
	// FollowedSince is when live delivery began; FollowedUntil when the newest event was received that it has come to. They
	// are for people to read, and both zero for an endpoint that subscribes to nothing.
	FollowedSince time.Time `json:"followed_since,omitzero"`
	FollowedUntil time.Time `json:"followed_until,omitzero"`
	// Subscription is what the endpoint subscribes to, as JSON. Its events are those behind the numbers in StartedAfter, and
	// those up to the numbers in Positions have a delivery. Both are by spool; a spool that is not named counts as 0.
	Subscription string            `json:"-"`
	StartedAfter map[string]uint64 `json:"-"`
	Positions    map[string]uint64 `json:"-"`
}
