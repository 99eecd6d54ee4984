package event

import (
	"time"

	"github.com/google/uuid"
)

// Selection names events: those that match every field that is set. Within a list any value matches.
type Selection struct {
	From     *time.Time  `json:"from,omitempty"` // received at or after
	To       *time.Time  `json:"to,omitempty"`   // received before
	Sources  []string    `json:"sources,omitempty"`
	Steps    []string    `json:"steps,omitempty"`
	Kinds    []Kind      `json:"kinds,omitempty"`
	Verdicts []Verdict   `json:"verdicts,omitempty"`
	IDs      []uuid.UUID `json:"ids,omitempty"`
}
