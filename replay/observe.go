package replay

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"hooktape/internal/event"
)

// observation is what the runner found at its last look: what metrics tell of it besides what they count.
type observation struct {
	targets []*target      // of configured endpoints
	replays []event.Replay // unfinished
}

// observeAt keeps what there is now for the metrics.
func (r *Runner) observeAt() {
	o := &observation{}
	for _, e := range *r.endpoints.Load() {
		if t := r.targets[e.Name]; t != nil {
			o.targets = append(o.targets, t)
		}
	}
	for _, job := range r.jobs.progress {
		if job.State == event.ReplayRunning || job.State == event.ReplayPaused {
			o.replays = append(o.replays, job.Replay)
		}
	}
	r.observed.Store(o)
}

// gauges are the metrics of what there is.
type gauges struct{ endpoints, waiting, replays, progress metric.Int64ObservableGauge }

// observe makes what there is a part of the process's metrics, until the returned function is called.
func (r *Runner) observe() (stop func()) {
	m := otel.Meter(scope)
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		g, _ := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		return g
	}
	g := gauges{
		endpoints: gauge("hooktape.endpoint.state", "{endpoint}", "1 for the state that an endpoint is in, 0 for the others: active, paused by a person, broken (its breaker is open)."),
		waiting:   gauge("hooktape.delivery.waiting", "{delivery}", "Open deliveries that the process has in memory, by endpoint; of a long backlog the rest is in ClickHouse."),
		replays:   gauge("hooktape.replays", "{replay}", "Unfinished replays, by state: running or paused."),
		progress:  gauge("hooktape.replay.deliveries", "{delivery}", "Deliveries of unfinished replays, by endpoint and state: open, delivered, failed."),
	}
	registration, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error { r.report(o, g); return nil },
		g.endpoints, g.waiting, g.replays, g.progress)
	if err != nil {
		return func() {}
	}
	return func() { _ = registration.Unregister() }
}

func (r *Runner) report(o metric.Observer, g gauges) {
	for endpoint, n := range r.waiting() {
		o.ObserveInt64(g.waiting, n, metric.WithAttributes(endpoint))
	}
	seen := r.observed.Load()
	if seen == nil {
		return // another process delivers
	}
	for _, t := range seen.targets {
		now, _, _, _ := t.snapshot()
		for _, state := range []string{stateActive, statePaused, stateBroken} {
			o.ObserveInt64(g.endpoints, count(state == now), metric.WithAttributes(endpointLabel(t.Name), attrState.String(state)))
		}
	}
	states := map[event.ReplayState]int64{event.ReplayRunning: 0, event.ReplayPaused: 0}
	type key struct {
		endpoint attribute.KeyValue
		state    string
	}
	progress := map[key]int64{}
	for _, job := range seen.replays {
		states[job.State]++
		endpoint := endpointLabel(job.Endpoint)
		progress[key{endpoint, "open"}] += int64(job.Open())
		progress[key{endpoint, "delivered"}] += int64(job.Counts[event.Delivered])
		progress[key{endpoint, "failed"}] += int64(job.Counts[event.Failed])
	}
	for state, n := range states {
		o.ObserveInt64(g.replays, n, metric.WithAttributes(attrState.String(string(state))))
	}
	for k, n := range progress {
		o.ObserveInt64(g.progress, n, metric.WithAttributes(k.endpoint, attrState.String(k.state)))
	}
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// waiting is what the workers hold, by endpoint.
func (r *Runner) waiting() map[attribute.KeyValue]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := map[attribute.KeyValue]int64{}
	for id, t := range r.workers {
		held[endpointLabel(id.endpoint)] += t.worker.open.Load()
	}
	return held
}
