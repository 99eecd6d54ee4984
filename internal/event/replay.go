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
	ID        uuid.UUID `json:"id" doc:"Its id."`
	CreatedAt time.Time `json:"created_at" doc:"The time of its creation."`
	UpdatedAt time.Time `json:"updated_at" doc:"The time of the last change of its state or counts."`
	CreatedBy string    `json:"created_by" doc:"The name of the token that created it."`
	// IdempotencyKey comes from the client; creating a replay twice with the same one creates it once.
	IdempotencyKey string      `json:"-"`
	State          ReplayState `json:"state" doc:"Its state."`
	Reason         string      `json:"reason,omitempty" doc:"Why it is paused or cancelled."`
	Endpoint       string      `json:"endpoint" doc:"The target: the name of a configured endpoint, or a URL with the values of its query masked."`
	URL            string      `json:"url" doc:"The URL, with the values of its query masked."`
	Selection      Selection   `json:"selection" doc:"The selection it was created with. Lists and streams contain at most the first 100 ids."`
	// Retries is nil for a replay of a selection of events.
	Retries *DeliverySelection `json:"retries,omitempty" doc:"The failed deliveries whose events it sends; absent unless it is a retry. Lists and streams contain at most the first 100 ids."`
	Parent  uuid.UUID          `json:"parent,omitzero" doc:"The replay whose failed deliveries this one sends again; absent for others."`
	// PublicOnly keeps a replay to a URL from private addresses, whatever the configuration allows, because its
	// creator may not send there.
	PublicOnly bool `json:"-"`
	ReplayOptions
	Total     uint64                   `json:"total" doc:"How many deliveries it has."`
	Counts    map[DeliveryState]uint64 `json:"counts,omitempty" doc:"How many deliveries are in each state, as of updated_at."`
	PerSecond float64                  `json:"per_second" doc:"How many deliveries a second have recently reached their final state."`
	// Waiting is not stored.
	Waiting *Waiting `json:"waiting,omitempty" doc:"Why it does not go on, or what limits it; absent in a final state."`
}

// ReplayOptions say how a replay runs.
type ReplayOptions struct {
	Rate              float64  `json:"rate" doc:"The most requests a second; 0 sends as fast as the endpoint answers."`
	Concurrency       uint16   `json:"concurrency" doc:"The most requests at the same time (default 4); with 1 the events are sent strictly in order of arrival."`
	Order             Order    `json:"order" doc:"none (the default): in order of arrival, without waiting. subscriber: the events of each subscriber one after the other."`
	Mode              Mode     `json:"mode" doc:"undelivered (the default): leaves out events that were delivered to the endpoint or are on their way there. all: everything selected."`
	Retry             Retry    `json:"retry" doc:"endpoint (the default): as the endpoint's configuration says. none: one attempt."`
	MaxAttempts       uint16   `json:"max_attempts" doc:"The most attempts for each event; 0 takes the endpoint's number."`
	Pace              float64  `json:"pace" doc:"Keeps the original time between events, divided by this: 1 is the original pace, 10 ten times as fast; 0 ignores it."`
	StopAfterFailures uint32   `json:"stop_after_failures" doc:"Pauses the replay after this many failed attempts in a row; 0 never does."`
	IncludeRejected   bool     `json:"include_rejected" doc:"Also sends selected events that were rejected, if they are stored as a whole, without accepting them. Needs the role admin."`
	Headers           []Header `json:"headers,omitempty" doc:"Added to the event's own headers; they replace those of the same name. Their values are never shown again."`
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
	Endpoint string `json:"-"`
	URL      string `json:"url" doc:"Its URL, with the values of the query masked."`
	// State may also be removed (from the configuration).
	State        string    `json:"state" enum:"active,paused,failing,unknown" doc:"paused: by a person; failing: its circuit breaker is open; unknown: no process has delivered yet."`
	Reason       string    `json:"reason,omitempty" doc:"Why it is not active, and what failed last."`
	Failures     uint32    `json:"failures" doc:"Failed attempts in a row."`
	NextProbe    time.Time `json:"next_probe,omitzero" doc:"When the next attempt is allowed, while its circuit breaker is open or it has asked to wait (Retry-After)."`
	FailingSince time.Time `json:"failing_since,omitzero" doc:"The first of the failed attempts in a row."`
	Answer       string    `json:"answer,omitempty" doc:"The first line of the last failed answer."`
	// UpdatedAt is also the state's version: it is never before that of an earlier state, whatever the clock says.
	UpdatedAt time.Time `json:"updated_at,omitzero" doc:"When its state was written."`
	// These two are for people, and zero for an endpoint without a subscription.
	FollowedSince time.Time `json:"followed_since,omitzero" doc:"When live delivery to it began."`
	FollowedUntil time.Time `json:"followed_until,omitzero" doc:"The time of receipt up to which live delivery has found new events."`
	// Subscription is the endpoint's subscription as JSON. It covers the events with numbers greater than
	// StartedAfter; those up to Positions have a delivery. Both are by spool; a missing spool counts as 0.
	Subscription string            `json:"-"`
	StartedAfter map[string]uint64 `json:"-"`
	Positions    map[string]uint64 `json:"-"`
}
