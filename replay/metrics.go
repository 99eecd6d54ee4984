package replay

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

const scope = "hooktape/replay"

const (
	attrEventID  = attribute.Key("hooktape.event.id")
	attrReplayID = attribute.Key("hooktape.replay.id")
	attrEndpoint = attribute.Key("hooktape.endpoint")
	attrAttempt  = attribute.Key("hooktape.attempt")
	attrState    = attribute.Key("hooktape.state")
	attrQueue    = attribute.Key("hooktape.queue") // live or replay
)

type instruments struct {
	tracer   trace.Tracer
	attempts metric.Int64Counter
	duration metric.Float64Histogram
	inFlight metric.Int64UpDownCounter
	ended    metric.Int64Counter
	missing  metric.Int64Counter
}

func newInstruments() *instruments {
	m := otel.Meter(scope)
	i := &instruments{tracer: otel.Tracer(scope)}
	i.attempts, _ = m.Int64Counter("hooktape.delivery.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver an event, by endpoint and outcome."))
	i.duration, _ = m.Float64Histogram("hooktape.delivery.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from sending an event to having the endpoint's answer, by endpoint and outcome."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	i.inFlight, _ = m.Int64UpDownCounter("hooktape.delivery.in_flight", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts whose answer is awaited, by endpoint."))
	i.ended, _ = m.Int64Counter("hooktape.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries that came to their end, by endpoint and state: delivered or failed."))
	i.missing, _ = m.Int64Counter("hooktape.delivery.missing", metric.WithUnit("{event}"),
		metric.WithDescription("Stored events that an audit found without a delivery, by endpoint: "+
			"0 unless something is wrong. They are delivered then."))
	return i
}

// endpointLabel returns an endpoint's name for metrics, spans and logs. All ad-hoc endpoints share one, because anybody
// with a token can invent URLs, and many receivers have a secret in the path.
func endpointLabel(name string) attribute.KeyValue {
	if strings.Contains(name, "://") {
		name = "(url)"
	}
	return attrEndpoint.String(name)
}

// observation has the values of the gauges. It is empty while another process delivers.
type observation struct {
	workers    map[attribute.Set][]*worker // by endpoint and queue
	delivering bool
	targets    []*target      // of configured endpoints
	replays    []event.Replay // unfinished
}

// observe registers the gauges until stop is called. now returns their values.
func observe(now func() *observation) (stop func()) {
	m := otel.Meter(scope)
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, _ := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		return g
	}
	endpoints := gauge("hooktape.endpoint.state", "{endpoint}",
		"1 for the state that an endpoint is in, 0 for the others: active, paused by a person, failing (its breaker "+
			"is open).")
	waiting := gauge("hooktape.delivery.waiting", "{delivery}",
		"Open deliveries that the process has in memory, by endpoint, live and of replays; of a long backlog the "+
			"rest is in ClickHouse.")
	replays := gauge("hooktape.replays", "{replay}", "Unfinished replays, by state: running or paused.")
	progress := gauge("hooktape.replay.deliveries", "{delivery}",
		"Deliveries of unfinished replays, by endpoint and state: open, delivered, failed.")
	registration, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		seen := now()
		for labels, workers := range seen.workers {
			n := int64(0)
			for _, w := range workers {
				n += w.open.Load()
			}
			o.ObserveInt64(waiting, n, metric.WithAttributeSet(labels))
		}
		if seen.delivering {
			observeEndpoints(o, endpoints, seen.targets)
			observeReplays(o, replays, progress, seen.replays)
		}
		return nil
	}, endpoints, waiting, replays, progress)
	if err != nil {
		return func() {}
	}
	return func() { _ = registration.Unregister() }
}

// observe stores the result of a reconcile for the metrics.
func (r *Runner) observe(endpoints []Endpoint) {
	o := &observation{workers: map[attribute.Set][]*worker{}, delivering: true, replays: r.replays.unfinished()}
	for _, e := range endpoints {
		if t := r.targetOf(e); t != nil {
			o.targets = append(o.targets, t)
		}
	}
	for queue, w := range r.workers {
		kind := event.LiveDelivery
		if w.config.isReplay() {
			kind = "replay"
		}
		labels := attribute.NewSet(endpointLabel(queue.Endpoint), attrQueue.String(kind))
		o.workers[labels] = append(o.workers[labels], w)
	}
	r.observed.Store(o)
}

func observeEndpoints(o metric.Observer, gauge metric.Int64ObservableGauge, targets []*target) {
	for _, t := range targets {
		now := t.Snapshot(time.Now()).State
		for _, state := range []string{outbound.StateActive, outbound.StatePaused, outbound.StateFailing} {
			value := int64(0)
			if state == now {
				value = 1
			}
			o.ObserveInt64(gauge, value, metric.WithAttributes(endpointLabel(t.Name), attrState.String(state)))
		}
	}
}

func observeReplays(o metric.Observer, replays, progress metric.Int64ObservableGauge, unfinished []event.Replay) {
	states := map[event.ReplayState]int64{event.ReplayRunning: 0, event.ReplayPaused: 0}
	type key struct {
		endpoint attribute.KeyValue
		state    string
	}
	deliveries := map[key]int64{}
	for _, r := range unfinished {
		states[r.State]++
		endpoint := endpointLabel(r.Endpoint)
		deliveries[key{endpoint, "open"}] += int64(r.Open())
		deliveries[key{endpoint, "delivered"}] += int64(r.Counts[event.Delivered])
		deliveries[key{endpoint, "failed"}] += int64(r.Counts[event.Failed])
	}
	for state, n := range states {
		o.ObserveInt64(replays, n, metric.WithAttributes(attrState.String(string(state))))
	}
	for k, n := range deliveries {
		o.ObserveInt64(progress, n, metric.WithAttributes(k.endpoint, attrState.String(k.state)))
	}
}
