package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
)

// Endpoint is a configured endpoint and the state of delivery to it.
type Endpoint struct {
	Name         string                         `json:"name" doc:"Its name in the configuration."`
	URL          string                         `json:"url" doc:"Its URL, with the values of the query masked."`
	Subscribed   bool                           `json:"subscribed" doc:"Whether live events are delivered to it; otherwise it is for replays only."`
	State        string                         `json:"state" enum:"active,paused,failing,unknown" doc:"paused: by a person; failing: its circuit breaker is open; unknown: no process has delivered yet."`
	Reason       string                         `json:"reason,omitempty" doc:"Why it is not active, and what failed last."`
	Backlog      map[event.DeliveryState]uint64 `json:"backlog" doc:"Live deliveries in each state."`
	Replays      map[event.DeliveryState]uint64 `json:"replays" doc:"Deliveries of unfinished replays in each state."`
	Waiting      *Waiting                       `json:"waiting,omitempty" doc:"Why nothing is sent to it; absent if nothing waits."`
	Answer       string                         `json:"answer,omitempty" doc:"The first line of the last failed answer."`
	FailingSince *time.Time                     `json:"failing_since,omitempty" doc:"The first of the failed attempts in a row."`
	OldestOpen   *time.Time                     `json:"oldest_open,omitempty" doc:"The time of receipt of the oldest event that is not delivered yet."`
	Failures     uint32                         `json:"failures" doc:"Failed attempts in a row."`
	NextProbe    *time.Time                     `json:"next_probe,omitempty" doc:"When the next attempt is allowed, while its circuit breaker is open or it has asked to wait (Retry-After)."`
	Since        *time.Time                     `json:"followed_since,omitempty" doc:"When live delivery to it began."`
	Until        *time.Time                     `json:"followed_until,omitempty" doc:"The time of receipt up to which live delivery has found new events."`
	UpdatedAt    *time.Time                     `json:"updated_at,omitempty" doc:"When its state was written."`
}

// Endpoints lists the configured endpoints.
func (d *Direct) Endpoints(ctx context.Context) ([]Endpoint, error) {
	found, err := d.service.Endpoints(ctx)
	list := make([]Endpoint, len(found))
	for i, e := range found {
		list[i] = Endpoint{Name: e.Name, URL: e.URL, Subscribed: e.Subscribed, State: e.State,
			Backlog: e.Backlog.Counts, OldestOpen: unlessZero(e.Backlog.OldestOpen),
			Replays: e.Replays, Waiting: e.Waiting}
		if e.Backlog.Counts == nil {
			list[i].Backlog = map[event.DeliveryState]uint64{}
		}
		if at := e.Delivery; at != nil {
			list[i].Reason = at.Reason
			list[i].Failures = at.Failures
			list[i].Answer, list[i].FailingSince = at.Answer, unlessZero(at.FailingSince)
			list[i].NextProbe = unlessZero(at.NextProbe)
			list[i].Since = unlessZero(at.FollowedSince)
			list[i].Until = unlessZero(at.FollowedUntil)
			list[i].UpdatedAt = unlessZero(at.UpdatedAt)
		}
	}
	return list, err
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// SteerEndpoint pauses or resumes all deliveries to an endpoint, live and in replays. reason is for people, and may be
// empty.
func (d *Direct) SteerEndpoint(ctx context.Context, name string, action event.Action, reason string) error {
	if err := d.require(RoleReplay); err != nil {
		return err
	}
	return d.service.SteerEndpoint(ctx, d.actor, name, action, reason)
}

// TestEndpoint sends a test request to a configured endpoint and returns the attempt.
func (d *Direct) TestEndpoint(ctx context.Context, name string) (Attempt, error) {
	if err := d.require(RoleReplay); err != nil {
		return Attempt{}, err
	}
	a, err := d.service.TestEndpoint(ctx, d.actor, name)
	return attemptJSON(a), err
}

// EndpointList is a list of endpoints.
type EndpointList struct {
	Endpoints []Endpoint `json:"endpoints" doc:"In the order of the configuration."`
}

// EndpointPath has the name of an endpoint.
type EndpointPath struct {
	Name string `path:"name" maxLength:"100" doc:"The endpoint's name in the configuration."`
}

type endpointSteering struct {
	EndpointPath
	Reason string `query:"reason" maxLength:"500" doc:"Why, for people."`
}

func (s *server) endpointRoutes() {
	reply(s, RoleRead, "GET /endpoints", huma.Operation{OperationID: "list-endpoints",
		Summary: "List endpoints", Description: "The configured endpoints with their state, backlog and last error."},
		func(ctx context.Context, _ *struct{}) (EndpointList, error) {
			list, err := s.as(ctx).Endpoints(ctx)
			return EndpointList{list}, err
		})
	s.steerEndpointRoute(event.ActionPause, "Pause an endpoint",
		"Nothing is sent to it, live or by a replay, until it is resumed; its deliveries wait.")
	s.steerEndpointRoute(event.ActionResume, "Resume an endpoint",
		"Also one whose circuit breaker is open: the next attempt follows immediately.")
}

func (s *server) steerEndpointRoute(action event.Action, summary, description string) {
	reply(s, RoleReplay, "POST /endpoints/{name}/"+string(action),
		huma.Operation{OperationID: string(action) + "-endpoint",
			DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
			Summary: summary, Description: description + acceptedLater},
		func(ctx context.Context, in *endpointSteering) (Endpoint, error) {
			d := s.as(ctx)
			list, err := d.Endpoints(ctx)
			if err != nil {
				return Endpoint{}, err
			}
			i := slices.IndexFunc(list, func(e Endpoint) bool { return e.Name == in.Name })
			if i < 0 {
				return Endpoint{}, Problemf(http.StatusNotFound, "there is no endpoint %q in the configuration",
					in.Name)
			}
			return list[i], d.SteerEndpoint(ctx, in.Name, action, in.Reason)
		})
}
