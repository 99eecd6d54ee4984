package store

import "github.com/google/uuid"

// Queue names the deliveries of a replay, or of live delivery (the zero UUID), to an endpoint.
type Queue struct {
	ReplayID uuid.UUID
	Endpoint string
}

// conditions are those of the queue over the table deliveries: the beginning of its primary key.
func (q Queue) conditions() *conditions {
	c := &conditions{}
	c.add("replay_id = {}", "UUID", q.ReplayID.String())
	c.add("endpoint = {}", "String", q.Endpoint)
	return c
}
