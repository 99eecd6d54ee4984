package event

import (
	"time"

	"github.com/google/uuid"
)

// Selection names events: those that match every field that is set. Within a list any value matches; an empty list is
// one that is not set. Each field has a row in [Filters], by which the command line, the API, the console and SQL know it.
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
	Subscribers []string `json:"subscribers,omitempty"`
	// Tags, and names and values of fields, match in any spelling, as texts do: without regard to case, outer spaces, invisible
	// characters and composition of letters.
	UTMSources   []string `json:"utm_sources,omitempty"`
	UTMMediums   []string `json:"utm_mediums,omitempty"`
	UTMCampaigns []string `json:"utm_campaigns,omitempty"`
	UTMContents  []string `json:"utm_contents,omitempty"`
	UTMTerms     []string `json:"utm_terms,omitempty"`
	// Fields are custom fields, each with the value that it must have. One that is absent is not one that is empty.
	Fields map[string]string `json:"fields,omitempty"`
	// Text has words that must all occur, in any order, in what was read from the request and in its step; where not all of it could
	// be read, or it was rejected, in its path and body. What is in double quotes is one word. Of phone numbers the digits count.
	Text string `json:"text,omitempty"`

	// UndeliveredTo is an endpoint that has never taken the event, live or in a replay.
	UndeliveredTo string `json:"undelivered_to,omitempty"`
	// FailedAt is an endpoint at which the event's last delivery failed for good.
	FailedAt string `json:"failed_at,omitempty"`

	// Where is a ClickHouse expression over the columns of the table events, for what no other field covers. It may only
	// read, for so long and with so much memory.
	Where string `json:"where,omitempty"`
}
