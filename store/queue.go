package store

import (
	"fmt"

	"github.com/google/uuid"
)

// Shard is one of Count parts of all subscribers, of which Index tells which, from 1. The zero Shard is all of them.
// A subscriber stays in a shard as long as Count does.
type Shard struct{ Index, Count uint32 }

// String is such as 1/1.
func (s Shard) String() string {
	if s.Count == 0 {
		return "1/1"
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Queue is what one process delivers in order: deliveries of a replay (of live delivery, with the zero UUID) to an
// endpoint, of a shard.
type Queue struct {
	ReplayID uuid.UUID
	Endpoint string
	Shard    Shard
}

// conditions are those of the queue over the table deliveries. The first two are the beginning of its primary key.
func (q Queue) conditions() *conditions {
	c := &conditions{}
	c.add("replay_id = {}", "UUID", q.ReplayID.String())
	c.add("endpoint = {}", "String", q.Endpoint)
	q.Shard.narrow(c, "subscriber")
	return c
}

// narrow adds the condition that a subscriber is in the shard.
func (s Shard) narrow(c *conditions, subscriber string) {
	if s.Count > 1 {
		index := c.bind("UInt32", s.Index-1)
		c.require("cityHash64(" + subscriber + ") % " + c.bind("UInt32", s.Count) + " = " + index)
	}
}
