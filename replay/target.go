package replay

import (
	"net/http"
	"time"
)

// target is an endpoint with its client and its breaker, shared by all lanes to it: live deliveries and replays alike.
type target struct {
	Endpoint
	client *http.Client
	breaker
	resumed time.Time // when a person last asked for it
}

func newTarget(e Endpoint) (*target, error) {
	client, err := newClient(e)
	if err != nil {
		return nil, err
	}
	return &target{Endpoint: e, client: client, breaker: breaker{options: e.Breaker}}, nil
}
