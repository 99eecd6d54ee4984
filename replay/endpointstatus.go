package replay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// EndpointStatus is a configured endpoint and the state of its deliveries.
type EndpointStatus struct {
	Name       string `json:"name" doc:"Its name in the configuration."`
	Subscribed bool   `json:"subscribed" doc:"Whether live events are delivered to it; otherwise it gets replays, and the External Requests of sources that forward to it."`
	// The delivering process has last saved this.
	event.EndpointState
	Backlog    map[event.DeliveryState]uint64 `json:"backlog" doc:"Live deliveries in each state."`
	OldestOpen time.Time                      `json:"oldest_open,omitzero" doc:"The time of receipt of the oldest event that is not delivered yet."`
	Replays    map[event.DeliveryState]uint64 `json:"replays" doc:"Deliveries of unfinished replays in each state."`
	Waiting    *event.Waiting                 `json:"waiting,omitempty" doc:"Why nothing is sent to it; absent if nothing waits."`
}

// StateUnknown is the state of an endpoint to which no process has delivered yet.
const StateUnknown = "unknown"

// Endpoints lists the configured endpoints.
func (s *Service) Endpoints(ctx context.Context) ([]EndpointStatus, error) {
	backlogs, err := s.store.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	unfinished, err := s.store.UnfinishedReplays(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.waits(ctx)
	if err != nil {
		return nil, err
	}
	list := []EndpointStatus{}
	for _, e := range s.endpoints() {
		status := EndpointStatus{Name: e.Name, Subscribed: e.Subscribe != nil,
			EndpointState: event.EndpointState{State: StateUnknown},
			Backlog:       map[event.DeliveryState]uint64{}, Replays: map[event.DeliveryState]uint64{}}
		for _, r := range unfinished {
			if r.Endpoint == e.Name {
				for state, n := range shownCounts(r.Replay) {
					status.Replays[state] += n
				}
			}
		}
		if state, ok := w.states[e.Name]; ok && state.State != stateRemoved {
			status.EndpointState = state
		}
		status.URL = e.StoredURL()
		for _, b := range backlogs {
			if b.Endpoint == e.Name {
				status.Backlog, status.OldestOpen = b.Counts, b.OldestOpen
			}
		}
		status.Waiting = w.ofEndpoint(e, event.Open(status.Backlog), event.Open(status.Replays))
		list = append(list, status)
	}
	return list, nil
}

// testBody identifies itself as a test, so that no receiver creates a subscriber from it.
const testBody = `{"hooktape_test":true,"message":"This is a test request from hooktape. It is about nobody."}`

// headerTest tells a receiver that a request is a test.
const headerTest = "X-Hooktape-Test"

// TestEndpoint sends a test request to a configured endpoint, like a delivery, and returns the attempt. Only the audit
// log records it, and the endpoint's breaker does not count it.
func (s *Service) TestEndpoint(ctx context.Context, by Actor, name string) (event.Attempt, error) {
	if strings.Contains(name, "://") {
		return event.Attempt{}, invalid("only an endpoint of the configuration can be tested")
	}
	ep, err := s.resolve(name)
	if err != nil {
		return event.Attempt{}, err
	}
	client, err := outbound.NewClient(ep.Endpoint, s.Own)
	if err != nil {
		return event.Attempt{}, fmt.Errorf("test the endpoint %s: %w", name, err)
	}
	defer client.CloseIdleConnections()
	if err := s.audit(ctx, by, "endpoint.test", name, nil); err != nil {
		return event.Attempt{}, err
	}
	now := time.Now().UTC()
	e := event.Event{Received: event.Received{ID: event.NewID(now), ReceivedAt: now, Method: "POST",
		Body: []byte(testBody), Headers: []event.Header{{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: "hooktape"}}}}
	d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: ep.Name, EventID: e.ID}, Attempts: 1}
	a := event.Attempt{ID: d.AttemptID(1), EventID: e.ID, Endpoint: ep.Name, URL: ep.StoredURL(), Number: 1,
		StartedAt: now}
	r, err := client.NewRequest(ctx, nil, &e, &d, now)
	if err != nil {
		return event.Attempt{}, invalid("the request cannot be made: %v", err)
	}
	r.Header.Set(headerTest, "1")
	a.RequestHeaders = client.StoredHeaders(r, nil)
	got := client.Send(r)
	a.Duration = time.Since(a.StartedAt)
	setAnswer(&a, got)
	return a, nil
}
