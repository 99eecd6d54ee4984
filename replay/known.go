package replay

import (
	"sync"
	"time"
)

// known remembers since when this process knows each endpoint's subscription, by a clock that never jumps: its events are
// those received from then on, however long ClickHouse is away.
type known struct {
	mu    sync.Mutex
	since map[string]knownSubscription // by endpoint
}

type knownSubscription struct {
	text  string // see subscriptionText
	since time.Time
}

// update takes in the endpoints of a configuration.
func (k *known) update(endpoints []Endpoint) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := map[string]knownSubscription{}
	for _, e := range endpoints {
		if e.Subscribe == nil {
			continue
		}
		text := subscriptionText(e.Subscribe.stored())
		if before, ok := k.since[e.Name]; ok && before.text == text {
			since[e.Name] = before
			continue
		}
		since[e.Name] = knownSubscription{text, time.Now()}
	}
	k.since = since
}

// knownFor returns for how long an endpoint's subscription is known.
func (r *Runner) knownFor(e Endpoint) time.Duration {
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	if k, ok := r.known.since[e.Name]; ok && k.text == subscriptionText(e.Subscribe.stored()) {
		return time.Since(k.since)
	}
	return 0
}
