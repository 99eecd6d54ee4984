package replay

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// testBody says for itself what it is: the receiver must not take it for a subscriber.
const testBody = `{"hooktape_test":true,"message":"This is a test request from hooktape. It is about nobody."}`

// headerTest tells a receiver that a request is a test.
const headerTest = "X-Hooktape-Test"

// TestEndpoint sends a test request to a configured endpoint, as a delivery would be sent, and returns what came back. It is
// no delivery: nothing of it is kept but that somebody did it, and the endpoint's breaker knows nothing of it.
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
	e := event.Event{Received: event.Received{ID: event.NewID(now), ReceivedAt: now, Method: "POST", RemoteIP: netip.Addr{}, Body: []byte(testBody),
		Headers: []event.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "hooktape"}}}}
	d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: ep.Name, EventID: e.ID}, Attempts: 1}
	a := event.Attempt{ID: d.AttemptID(1), EventID: e.ID, Endpoint: ep.Name, URL: ep.StoredURL(), Number: 1, StartedAt: now}
	r, err := client.NewRequest(ctx, nil, &e, &d, now)
	if err != nil {
		return event.Attempt{}, invalid("the request cannot be made: %v", err)
	}
	r.Header.Set(headerTest, "1")
	a.RequestHeaders = client.StoredHeaders(r, nil)
	got := client.Send(r)
	a.Duration = time.Since(a.StartedAt)
	a.Outcome, a.StatusCode, a.Error, a.ResponseHeaders, a.ResponseBody = got.Outcome, got.Status, got.Err, got.Headers, got.Body
	return a, nil
}
