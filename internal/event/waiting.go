package event

import (
	"time"

	"github.com/google/uuid"
)

// WaitingCode is the reason why something waits.
type WaitingCode string

// The reasons.
const (
	WaitsForProcess  WaitingCode = "no_process"       // nothing delivers
	WaitsForTakeover WaitingCode = "standby"          // the process that delivers is silent, another one takes over
	WaitsReplay      WaitingCode = "replay_paused"    // a person, or its stop rule, has paused the replay
	WaitsEndpoint    WaitingCode = "endpoint_paused"  // a person has paused the endpoint
	WaitsFailing     WaitingCode = "endpoint_failing" // the endpoint's circuit breaker is open
	WaitsRetryAfter  WaitingCode = "retry_after"      // the endpoint asked to wait (Retry-After)
	WaitsRemoved     WaitingCode = "endpoint_removed" // the configuration no longer has the endpoint
	WaitsUnwanted    WaitingCode = "not_subscribed"   // the endpoint no longer gets live events
	WaitsForRetry    WaitingCode = "retry"            // for the next attempt of the retry schedule
	WaitsForEvent    WaitingCode = "order"            // for an earlier event of the same subscriber
	WaitsForRate     WaitingCode = "rate_limit"       // the rate limits the requests a second
	WaitsForPace     WaitingCode = "pace"             // a replay keeps the original time between events
	WaitsInQueue     WaitingCode = "queue"            // it is next, or its request is under way
)

// WaitingCodes lists the reasons, the most important first.
var WaitingCodes = []WaitingCode{WaitsForProcess, WaitsForTakeover, WaitsReplay, WaitsEndpoint, WaitsFailing,
	WaitsRetryAfter, WaitsRemoved, WaitsUnwanted, WaitsForRetry, WaitsForEvent, WaitsForRate, WaitsForPace,
	WaitsInQueue}

// Waiting says why a delivery, an endpoint or a replay waits.
type Waiting struct {
	Code WaitingCode `json:"code" doc:"The reason, for programs."`
	Text string      `json:"text" doc:"The reason as a sentence, with times in UTC."`
	// Action is what changes it: retry_now or resume.
	Action string     `json:"action,omitempty" enum:"retry_now,resume" doc:"What changes it: retry_now (POST /api/v1/deliveries/retry; for an endpoint, resume it) or resume (what is paused); absent if nothing does."`
	Since  time.Time  `json:"since,omitzero" doc:"Since when."`
	Until  time.Time  `json:"until,omitzero" doc:"The time of the next attempt."`
	Answer string     `json:"answer,omitempty" doc:"What failed last: the error, and the first line of the answer."`
	Event  *uuid.UUID `json:"event_id,omitempty" doc:"The event that it waits for."`
}
