package event

import (
	"time"

	"github.com/google/uuid"
)

// Selection names events: those that match every field that is set. Within a list any value matches; an empty list is
// one that is not set. The command line, the API and the console all choose events by it.
type Selection struct {
	From     *time.Time  `json:"from,omitempty"`  // received at or after
	Until    *time.Time  `json:"until,omitempty"` // received before
	Sources  []string    `json:"sources,omitempty"`
	Steps    []string    `json:"steps,omitempty"`
	Kinds    []Kind      `json:"kinds,omitempty"`
	Verdicts []Verdict   `json:"verdicts,omitempty"`
	Channels []string    `json:"channels,omitempty"`
	IDs      []uuid.UUID `json:"ids,omitempty"`

	// Subscribers are ids of people, BotHelp's or the messenger's. An empty one is nobody's.
	Subscribers  []string `json:"subscribers,omitempty"`
	UTMSources   []string `json:"utm_sources,omitempty"`
	UTMMediums   []string `json:"utm_mediums,omitempty"`
	UTMCampaigns []string `json:"utm_campaigns,omitempty"`
	UTMContents  []string `json:"utm_contents,omitempty"`
	UTMTerms     []string `json:"utm_terms,omitempty"`
	// Fields are custom fields, each with the value that it must have. One that is absent is not one that is empty.
	Fields map[string]string `json:"fields,omitempty"`
	// Text must stand in the body, its letters beyond ASCII in any of the spellings that JSON and forms have for them.
	Text string `json:"text,omitempty"`

	// UndeliveredTo is an endpoint that has never taken the event, live or in a replay.
	UndeliveredTo string `json:"undelivered_to,omitempty"`
	// FailedAt is an endpoint at which the event's last delivery failed for good.
	FailedAt string `json:"failed_at,omitempty"`

	// Where is a ClickHouse expression over the columns of the table events, for what no other field covers. It may only
	// read, for so long and with so much memory.
	Where string `json:"where,omitempty"`
}
