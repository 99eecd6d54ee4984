package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
)

// Endpoint is a configured endpoint, and where delivery to it stands.
type Endpoint struct {
	Name       string                         `json:"name" doc:"Its name in the configuration."`
	URL        string                         `json:"url" doc:"Where it goes, the query's values masked."`
	Subscribed bool                           `json:"subscribed" doc:"Whether live events go to it; else replays only."`
	State      string                         `json:"state" enum:"active,paused,broken,unknown" doc:"paused: by a person; broken: its breaker is open; unknown: no process has delivered yet."`
	Reason     string                         `json:"reason,omitempty" doc:"Why it is not active, and what failed last."`
	Backlog    map[event.DeliveryState]uint64 `json:"backlog" doc:"Live deliveries in each state."`
	OldestOpen *time.Time                     `json:"oldest_open,omitempty" doc:"When the first event came that live delivery still owes it."`
	Failures   uint32                         `json:"failures" doc:"Attempts failed in a row."`
	NextProbe  *time.Time                     `json:"next_probe,omitempty" doc:"When an endpoint whose breaker is open is tried next."`
	Since      *time.Time                     `json:"followed_since,omitempty" doc:"When live delivery to it began."`
	Until      *time.Time                     `json:"followed_until,omitempty" doc:"When the newest event was received that live delivery has come to."`
	UpdatedAt  *time.Time                     `json:"updated_at,omitempty" doc:"When its state was written."`
}

// Endpoints lists the configured endpoints and where delivery to them stands.
func (d *Direct) Endpoints(ctx context.Context) ([]Endpoint, error) {
	found, err := d.service.Endpoints(ctx)
	list := make([]Endpoint, len(found))
	for i, e := range found {
		list[i] = Endpoint{Name: e.Name, URL: e.URL, Subscribed: e.Subscribed, State: e.State, Backlog: e.Backlog.Counts, OldestOpen: unlessZero(e.Backlog.OldestOpen)}
		if e.Backlog.Counts == nil {
			list[i].Backlog = map[event.DeliveryState]uint64{}
		}
		if at := e.Delivery; at != nil {
			list[i].Reason, list[i].Failures, list[i].NextProbe = at.Reason, at.Failures, unlessZero(at.NextProbe)
			list[i].Since, list[i].Until, list[i].UpdatedAt = unlessZero(at.FollowedSince), unlessZero(at.FollowedUntil), unlessZero(at.UpdatedAt)
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

// endpoint returns a configured endpoint.
func (d *Direct) endpoint(ctx context.Context, name string) (Endpoint, error) {
	list, err := d.Endpoints(ctx)
	if err != nil {
		return Endpoint{}, err
	}
	i := slices.IndexFunc(list, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return Endpoint{}, problem(http.StatusNotFound, "there is no endpoint %q in the configuration", name)
	}
	return list[i], nil
}

// SteerEndpoint pauses or resumes all that goes to an endpoint.
func (d *Direct) SteerEndpoint(ctx context.Context, name string, action event.Action) error {
	if err := d.need(RoleReplay); err != nil {
		return err
	}
	return d.service.SteerEndpoint(ctx, d.by, name, action)
}

// TestEndpoint sends a test request to a configured endpoint and returns what came back.
func (d *Direct) TestEndpoint(ctx context.Context, name string) (Attempt, error) {
	if err := d.need(RoleReplay); err != nil {
		return Attempt{}, err
	}
	a, err := d.service.TestEndpoint(ctx, d.by, name)
	return attemptOf(a), err
}

// EndpointList is the configured endpoints.
type EndpointList struct {
	Endpoints []Endpoint `json:"endpoints" doc:"In the order of the configuration."`
}

type endpointPath struct {
	Name string `path:"name" maxLength:"100" doc:"The endpoint's name in the configuration."`
}

type endpointOutput struct{ Body Endpoint }

func (s *server) endpoints() {
	route(s, RoleRead, huma.Operation{OperationID: "list-endpoints", Method: http.MethodGet, Path: "/endpoints", Tags: []string{"Endpoints"},
		Summary: "List endpoints", Description: "Those of the configuration, with their state, backlog and last error."},
		func(ctx context.Context, _ *struct{}) (*struct{ Body EndpointList }, error) {
			list, err := s.as(ctx).Endpoints(ctx)
			return &struct{ Body EndpointList }{EndpointList{list}}, err
		})
	steer := func(action event.Action, summary, description string) {
		route(s, RoleReplay, huma.Operation{OperationID: string(action) + "-endpoint", Method: http.MethodPost, Path: "/endpoints/{name}/" + string(action), Tags: []string{"Endpoints"},
			Summary: summary, Description: description + takenUp, DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound}},
			func(ctx context.Context, in *endpointPath) (*endpointOutput, error) {
				d := s.as(ctx)
				e, err := d.endpoint(ctx, in.Name)
				if err == nil {
					err = d.SteerEndpoint(ctx, in.Name, action)
				}
				return &endpointOutput{e}, err
			})
	}
	steer(event.ActionPause, "Pause an endpoint", "Nothing goes to it, live or by a replay, until it is resumed; what there is to deliver waits.")
	steer(event.ActionResume, "Resume an endpoint", "Also one that its breaker holds back: it is tried at once.")
}

const takenUp = " The process that delivers takes it up within a second; the answer is as it stood before."
