package event

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// ReplayState is the state of a replay.
type ReplayState string

// The states of a replay. Its selection is frozen before it exists.
const (
	ReplayRunning   ReplayState = "running"
	ReplayPaused    ReplayState = "paused"
	ReplayCompleted ReplayState = "completed" // everything is delivered
	ReplayFailures  ReplayState = "completed_with_failures"
	ReplayCancelled ReplayState = "cancelled"
)

// FinalReplayStates are the states in which a replay stays.
var FinalReplayStates = []ReplayState{ReplayCompleted, ReplayFailures, ReplayCancelled}

// ReplayStates lists all states.
var ReplayStates = append([]ReplayState{ReplayRunning, ReplayPaused}, FinalReplayStates...)

// Final reports whether a replay stays in this state.
func (s ReplayState) Final() bool { return slices.Contains(FinalReplayStates, s) }

// Order is the order of events that an endpoint or a replay guarantees.
type Order string

// The orders.
const (
	// OrderNone sends events about in order of arrival; none waits for another.
	OrderNone Order = "none"
	// OrderSubscriber sends a subscriber's events one after the other: the next one when the one before it is
	// delivered or failed. Different subscribers are independent.
	OrderSubscriber Order = "subscriber"
)

// Mode says which of the selected events a replay sends.
type Mode string

// The modes.
const (
	// ModeUndelivered leaves out events that were delivered to the endpoint, or still will be.
	ModeUndelivered Mode = "undelivered"
	// ModeAll sends all selected events.
	ModeAll Mode = "all"
)

// Retry says what a replay does after failed attempts.
type Retry string

// The retry policies.
const (
	RetryEndpoint Retry = "endpoint" // as configured for the endpoint
	RetryNone     Retry = "none"     // one attempt
)

// Replay is a job that sends a frozen selection of events to one endpoint.
type Replay struct {
	ID        uuid.UUID `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	CreatedBy string    `json:"created_by"`
	// IdempotencyKey comes from the client; creating a replay twice with the same one creates it once.
	IdempotencyKey string      `json:"-"`
	State          ReplayState `json:"state"`
	Reason         string      `json:"reason,omitempty"` // why it is paused or cancelled
	Endpoint       string      `json:"endpoint"`
	URL            string      `json:"url"`
	Selection      Selection   `json:"selection"`
	// Retries selects the failed deliveries that it sends again: those of Parent or, without one, live ones. It is nil
	// for a replay of a selection of events.
	Retries *DeliverySelection `json:"retries,omitempty"`
	// Parent is the replay whose failed deliveries this one sends again; zero for none.
	Parent uuid.UUID `json:"parent,omitzero"`
	// PublicOnly keeps a replay to a URL from private addresses, whatever the configuration allows, because its
	// creator may not send there.
	PublicOnly bool `json:"-"`
	ReplayOptions
	Total uint64 `json:"total"` // number of deliveries
	// Counts is the number of deliveries in each state, as of UpdatedAt.
	Counts map[DeliveryState]uint64 `json:"counts,omitempty"`
	// PerSecond is the recent number of finished deliveries a second.
	PerSecond float64 `json:"per_second"`
	// Waiting says why it does not go on; nil if it does. It is not stored.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// ReplayOptions say how a replay runs.
type ReplayOptions struct {
	// Rate is the limit of requests a second; 0 is no limit.
	Rate float64 `json:"rate"`
	// Concurrency is the limit of simultaneous requests; with 1 the events are sent strictly in order of arrival.
	Concurrency uint16 `json:"concurrency"`
	Order       Order  `json:"order"`
	Mode        Mode   `json:"mode"`
	Retry       Retry  `json:"retry"`
	// MaxAttempts is the limit of attempts for each event; 0 is the endpoint's.
	MaxAttempts uint16 `json:"max_attempts"`
	// Pace keeps the original time between events, divided by Pace; 0 does not.
	Pace float64 `json:"pace"`
	// StopAfterFailures pauses the replay after as many consecutive failed attempts; 0 never does.
	StopAfterFailures uint32 `json:"stop_after_failures"`
	// IncludeRejected also sends selected events that were rejected, if they are stored as a whole.
	IncludeRejected bool `json:"include_rejected"`
	// Headers are added to the event's own and replace those with the same name.
	Headers []Header `json:"headers,omitempty"`
}

// Open returns the number of deliveries that are not final.
func (r *Replay) Open() uint64 { return Open(r.Counts) }

// Action is an action that a person, or a rule of the program, takes on a replay or an endpoint.
type Action string

// The actions. ActionRate and ActionCancel are for replays only.
const (
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionCancel Action = "cancel"
	ActionRate   Action = "set-rate"
	// ActionRetry makes retries due and allows one attempt now, even if the endpoint is failing.
	ActionRetry Action = "retry"
)

// Command is an action that was taken. Commands are only added; the process that delivers reads them, so commands and
// progress never overwrite each other.
type Command struct {
	Target string // a replay's id, or an endpoint's name
	Action Action
	Rate   float64     // of ActionRate
	Events []uuid.UUID // of ActionRetry: whose retries become due
	By     string
	Reason string
}

// EndpointState is the state of the delivery to an endpoint, written by the process that delivers.
type EndpointState struct {
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	// State is active, paused (by a person), broken (the breaker is open) or removed (from the configuration).
	State    string `json:"state"`
	Reason   string `json:"reason,omitempty"`
	Failures uint32 `json:"failures"` // consecutive
	// NextProbe is when the next attempt is allowed: while the breaker is open, and for as long as an answer's
	// Retry-After asks. It is zero if one is allowed now.
	NextProbe time.Time `json:"next_probe,omitzero"`
	// FailingSince is when the first of these failures was, and Answer the first line of the last answer.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Answer       string    `json:"answer,omitempty"`
	// UpdatedAt is also the state's version: it is never before that of an earlier state, whatever the clock says.
	UpdatedAt time.Time `json:"updated_at"`
	// FollowedSince is when live delivery began, FollowedUntil the time of receipt of the newest event that has a
	// delivery. They are for people, and zero for an endpoint without a subscription.
	FollowedSince time.Time `json:"followed_since,omitzero"`
	FollowedUntil time.Time `json:"followed_until,omitzero"`
	// Subscription is the endpoint's subscription as JSON. It covers the events with numbers greater than
	// StartedAfter; those up to Positions have a delivery. Both are by spool; a missing spool counts as 0.
	Subscription string            `json:"-"`
	StartedAfter map[string]uint64 `json:"-"`
	Positions    map[string]uint64 `json:"-"`
}
