package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

const endpointStateColumns = "endpoint, url, state, reason, failures, next_probe, updated_at, followed_since, " +
	"followed_until, subscription, started_after, positions, failing_since, answer"

// SaveEndpointState stores the state of the delivery to an endpoint. UpdatedAt orders the states.
func (s *Store) SaveEndpointState(ctx context.Context, e event.EndpointState) error {
	return s.insert(ctx, "", "endpoint_states ("+endpointStateColumns+")", func(batch driver.Batch) error {
		return batch.Append(e.Endpoint, e.URL, e.State, e.Reason, e.Failures, epochIfZero(e.NextProbe), e.UpdatedAt,
			epochIfZero(e.FollowedSince), epochIfZero(e.FollowedUntil), e.Subscription, e.StartedAfter, e.Positions,
			epochIfZero(e.FailingSince), e.Answer)
	})
}

// EndpointStates returns the newest state of each endpoint.
func (s *Store) EndpointStates(ctx context.Context) ([]event.EndpointState, error) {
	return collect(ctx, s.conn, "read endpoint states",
		"SELECT "+endpointStateColumns+" FROM endpoint_states ORDER BY endpoint, updated_at DESC LIMIT 1 BY endpoint",
		nil,
		func(rows driver.Rows, e *event.EndpointState) error {
			err := rows.Scan(&e.Endpoint, &e.URL, &e.State, &e.Reason, &e.Failures, &e.NextProbe, &e.UpdatedAt,
				&e.FollowedSince, &e.FollowedUntil,
				&e.Subscription, &e.StartedAfter, &e.Positions, &e.FailingSince, &e.Answer)
			for _, t := range []*time.Time{&e.NextProbe, &e.FollowedSince, &e.FollowedUntil, &e.FailingSince} {
				*t = zeroIfEpoch(*t)
			}
			return err
		})
}

// EndpointNames returns the names of all endpoints that ever had a state or a replay, in order: configured ones, and
// the masked URLs of replays.
func (s *Store) EndpointNames(ctx context.Context) ([]string, error) {
	return collect(ctx, s.conn, "read endpoint names",
		"SELECT DISTINCT endpoint FROM (SELECT endpoint FROM endpoint_states UNION ALL SELECT endpoint FROM replays) "+
			"ORDER BY endpoint", nil, scanText)
}
