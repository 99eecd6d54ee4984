package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
	"hooktape/replay"
)

// Endpoint is a configured endpoint and the state of delivery to it.
type Endpoint struct {
	replay.EndpointStatus
	Forwards []event.ForwardState `json:"forwards,omitempty" doc:"The sources that forward External Requests to it, and how it answers them."`
}

// Endpoints lists the configured endpoints.
func (d *Direct) Endpoints(ctx context.Context) ([]Endpoint, error) {
	found, err := d.service.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	forwards, err := d.forwards(ctx)
	list := make([]Endpoint, len(found))
	for i, e := range found {
		list[i] = Endpoint{e, forwards[e.Name]}
	}
	return list, err
}

// forwardsSince is how far back the states of External Requests go.
const forwardsSince = 24 * time.Hour

// forwards returns the states of the External Requests of each source that forwards, by the endpoint's name.
func (d *Direct) forwards(ctx context.Context) (map[string][]event.ForwardState, error) {
	if d.host.Forwards == nil {
		return nil, nil
	}
	to := d.host.Forwards()
	if len(to) == 0 {
		return nil, nil
	}
	failing, err := d.store.ForwardStates(ctx, time.Now().Add(-forwardsSince))
	list := map[string][]event.ForwardState{}
	for _, source := range slices.Sorted(maps.Keys(to)) {
		state := event.ForwardState{Source: source}
		for _, f := range failing {
			if f.Source == source && f.Endpoint == to[source] {
				state = f
			}
		}
		list[to[source]] = append(list[to[source]], state)
	}
	return list, err
}

// EndpointStatus returns the state of delivery to a configured endpoint. If there is none, it returns a [*Problem] with
// the status 404.
func (d *Direct) EndpointStatus(ctx context.Context, name string) (replay.EndpointStatus, error) {
	list, err := d.service.Endpoints(ctx)
	if err != nil {
		return replay.EndpointStatus{}, err
	}
	i := slices.IndexFunc(list, func(e replay.EndpointStatus) bool { return e.Name == name })
	if i < 0 {
		return replay.EndpointStatus{}, Problemf(http.StatusNotFound,
			"there is no endpoint %q in the configuration", name)
	}
	return list[i], nil
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
	return WholeAttempt(a), err
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
		func(ctx context.Context, in *endpointSteering) (replay.EndpointStatus, error) {
			d := s.as(ctx)
			status, err := d.EndpointStatus(ctx, in.Name)
			if err != nil {
				return status, err
			}
			return status, d.SteerEndpoint(ctx, in.Name, action, in.Reason)
		})
}
