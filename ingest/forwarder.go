package ingest

import (
	"reflect"

	"golang.org/x/sync/semaphore"

	"hooktape/internal/outbound"
)

// forwarder forwards the requests of a source, and is in use until the settings of the source or its endpoint change.
type forwarder struct {
	Forward
	client  *outbound.Client // nil if a file of the endpoint's TLS cannot be read
	breaker *outbound.Breaker
	places  *semaphore.Weighted // for requests in flight
}

// setForwarders gives each source its forwarder, or that of the sources before if nothing has changed.
func (s *Server) setForwarders(sources, before *Sources) {
	breakers := map[string]*outbound.Breaker{} // two sources that forward to one endpoint share its breaker
	for name, source := range sources.byName {
		if old := before.byName[name]; source.Forward != nil && old != nil &&
			reflect.DeepEqual(source.Forward, old.Forward) {
			source.forwarder = old.forwarder
			breakers[source.Forward.To] = old.forwarder.breaker
		}
	}
	for name, source := range sources.byName {
		if source.Forward == nil || source.forwarder != nil {
			continue
		}
		f := &forwarder{Forward: *source.Forward, places: semaphore.NewWeighted(int64(source.Forward.MaxInFlight))}
		if f.breaker = breakers[f.To]; f.breaker == nil {
			f.breaker = outbound.NewBreaker(f.Breaker)
			breakers[f.To] = f.breaker
		}
		endpoint := f.Endpoint
		endpoint.Timeout = f.Deadline
		var err error
		if f.client, err = outbound.NewClient(endpoint, s.options.Own); err != nil {
			s.logger.Error("nothing can be forwarded to an endpoint, and bots get the fallback", "source", name,
				"endpoint", f.To, "error", err)
		}
		source.forwarder = f
	}
	for name, old := range before.byName {
		if kept := sources.byName[name]; old.forwarder != nil && old.forwarder.client != nil &&
			(kept == nil || kept.forwarder != old.forwarder) {
			old.forwarder.client.CloseIdleConnections()
		}
	}
}
