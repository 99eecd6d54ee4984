package ingest

import (
	"context"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/semaphore"

	"hooktape/internal/outbound"
)

// forwarder forwards the requests of a source, and is in use until the settings of the source or its endpoint change.
type forwarder struct {
	Forward
	client  *outbound.Client // nil if a file of the endpoint's TLS cannot be read
	breaker *outbound.Breaker
	places  *semaphore.Weighted // for requests in flight

	source     string // its name
	labels     labels
	attributes []attribute.KeyValue // of each span
}

// The breaker of a forwarder probes sooner than that of deliveries: a delivery waits for the next probe, a bot gets the
// fallback until then.
const (
	maxProbeAfter = 2 * time.Second
	maxProbeWait  = 10 * time.Second
)

// idleTimeout is how long a connection to an endpoint is kept open without a request. Many servers (Node.js) close one
// after 5 seconds: a request that meets this is lost, because it is sent once only.
const idleTimeout = 4 * time.Second

// setForwarders gives each source its forwarder, or that of the sources before if nothing has changed. Each source has
// its own breaker: with a shorter deadline an endpoint fails that answers others in time.
func (s *Server) setForwarders(sources, before *Sources) {
	for name, source := range sources.byName {
		if source.Forward == nil {
			continue
		}
		if old := before.byName[name]; old != nil && reflect.DeepEqual(source.Forward, old.Forward) {
			source.forwarder = old.forwarder
		} else {
			source.forwarder = s.newForwarder(name, *source.Forward)
		}
	}
	for name, old := range before.byName {
		if kept := sources.byName[name]; old.forwarder != nil && old.forwarder.client != nil &&
			(kept == nil || kept.forwarder != old.forwarder) {
			old.forwarder.client.CloseIdleConnections()
		}
	}
}

func (s *Server) newForwarder(source string, forward Forward) *forwarder {
	f := &forwarder{Forward: forward, places: semaphore.NewWeighted(int64(forward.MaxInFlight)), source: source,
		labels: newLabels(source)}
	f.attributes = append(f.Endpoint.ServerAttributes(), attrSource.String(source), attrEndpoint.String(f.To))
	f.breaker = outbound.NewBreaker(outbound.BreakerOptions{Failures: f.Breaker.Failures,
		ProbeAfter: min(f.Breaker.ProbeAfter, maxProbeAfter), ProbeMax: min(f.Breaker.ProbeMax, maxProbeWait)})
	endpoint := f.Endpoint
	endpoint.Timeout, endpoint.IdleTimeout = f.Deadline, idleTimeout
	var err error
	if f.client, err = outbound.NewClient(endpoint, s.options.Own); err != nil {
		s.logger.Error("nothing can be forwarded to an endpoint, and bots get the fallback", "source", source,
			"endpoint", f.To, "error", err)
	}
	s.failing.Record(context.Background(), 0, f.labels.source)
	return f
}
