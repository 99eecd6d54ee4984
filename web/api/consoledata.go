package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// The console's pages need data that has no route of the HTTP API. These types are the database's.

type (
	// Bar is the number of selected events in an interval.
	Bar = store.Bar
	// Span is one span of a trace.
	Span = store.Span
	// SourceStats are the requests to a source.
	SourceStats = store.SourceStats
	// EndpointStats are the outcomes of attempts at an endpoint.
	EndpointStats = store.EndpointStats
	// DeliverySummary is the state of an event's delivery to an endpoint.
	DeliverySummary = store.DeliverySummary
)

// Failure is a failed attempt of an event.
type Failure struct {
	Attempt
	EventID uuid.UUID
}

// Now returns the time of the database's clock, which sets Event.StoredAt.
func (d *Direct) Now(ctx context.Context) (time.Time, error) { return d.store.Now(ctx) }

// Count returns the number of selected events, but at most limit; 0 is no limit.
func (d *Direct) Count(ctx context.Context, sel event.Selection, limit uint64) (uint64, error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return 0, err
	}
	return d.store.CountEvents(ctx, sel, limit)
}

// FrequentValues returns frequent values of filters, by the filters' names.
func (d *Direct) FrequentValues(ctx context.Context, filters []string) (map[string][]string, error) {
	return d.store.FrequentValues(ctx, filters)
}

// EventsStored returns at most limit selected events that were stored at or after a time, the last received first.
func (d *Direct) EventsStored(ctx context.Context, sel event.Selection, since time.Time, limit int) ([]Event, error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return nil, err
	}
	events, err := d.store.ListStored(ctx, sel, since, limit)
	if err != nil {
		return nil, err
	}
	return d.list(ctx, events)
}

// RecordDownload records that the principal downloads the selected events.
func (d *Direct) RecordDownload(ctx context.Context, sel event.Selection) error {
	return d.recordView(ctx, "events.download", "/?"+withNames(sel).Values().Encode())
}

// FirstEvent returns the time of receipt of the oldest event, or the zero time if there are no events.
func (d *Direct) FirstEvent(ctx context.Context) (time.Time, error) { return d.store.FirstEvent(ctx) }

// LastEvent returns the time and id of a source's last accepted event, or the zero time if there is none.
func (d *Direct) LastEvent(ctx context.Context, source string) (time.Time, uuid.UUID, error) {
	return d.store.LastEvent(ctx, source)
}

// Histogram counts the selected events in intervals of a width.
func (d *Direct) Histogram(ctx context.Context, sel event.Selection, from, until time.Time, width time.Duration) ([]Bar,
	error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return nil, err
	}
	return d.store.Histogram(ctx, sel, from, until, width)
}

// DeliverySummaries returns the states of the deliveries of events, by the event's id.
func (d *Direct) DeliverySummaries(ctx context.Context, events []Event) (map[uuid.UUID][]DeliverySummary, error) {
	ids, first, last := spread(events)
	found, err := d.store.DeliverySummaries(ctx, ids, first, last)
	states := map[uuid.UUID][]DeliverySummary{}
	for _, s := range found {
		states[s.EventID] = append(states[s.EventID], s)
	}
	return states, err
}

// spread returns the ids of events, and the first and the last time of their receipt.
func spread(events []Event) (ids []uuid.UUID, first, last time.Time) {
	for i, e := range events {
		ids = append(ids, e.ID)
		if i == 0 || e.ReceivedAt.Before(first) {
			first = e.ReceivedAt
		}
		if e.ReceivedAt.After(last) {
			last = e.ReceivedAt
		}
	}
	return ids, first, last
}

// Neighbours returns the accepted events of a subscriber before and after an event; nil for none.
func (d *Direct) Neighbours(ctx context.Context, subscriber string, e Event) (before, after *Event, err error) {
	return pair(d.store.Neighbours(ctx, subscriber, store.Cursor{At: e.ReceivedAt, ID: e.ID}))
}

// Touches returns the first and the last accepted event of a subscriber that have a UTM tag; nil for none.
func (d *Direct) Touches(ctx context.Context, subscriber string) (first, last *Event, err error) {
	return pair(d.store.Touches(ctx, subscriber))
}

func pair(first, last *event.Event, err error) (*Event, *Event, error) {
	whole := func(e *event.Event) *Event {
		if e == nil {
			return nil
		}
		j := WholeEvent(e, nil)
		return &j
	}
	return whole(first), whole(last), err
}

// Trace returns the spans of receiving and storing an event.
func (d *Direct) Trace(ctx context.Context, e Event) ([]Span, error) {
	return d.store.Spans(ctx, e.TraceID, e.ReceivedAt)
}

// SourceStats returns the statistics since a time of the given sources, and then of other names with the most requests;
// at most limit.
func (d *Direct) SourceStats(ctx context.Context, since time.Time, sources []string, limit int) ([]SourceStats, error) {
	return d.store.SourceStats(ctx, since, sources, limit)
}

// RevealSource records that the principal views the token of a source's hook, which needs the role admin.
func (d *Direct) RevealSource(ctx context.Context, source string) error {
	if err := d.require(RoleAdmin); err != nil {
		return err
	}
	return d.recordView(ctx, "source.reveal", source)
}

// AuditNames returns everybody who is in the audit log, and all actions, which needs the role admin.
func (d *Direct) AuditNames(ctx context.Context) (who, actions []string, err error) {
	if err := d.require(RoleAdmin); err != nil {
		return nil, nil, err
	}
	return d.store.AuditNames(ctx)
}

// EndpointNames returns the names of the configured endpoints, in the order of the configuration.
func (d *Direct) EndpointNames() []string { return d.service.EndpointNames() }

// EndpointStats returns the statistics of each endpoint's attempts since a time.
func (d *Direct) EndpointStats(ctx context.Context, since time.Time) ([]EndpointStats, error) {
	return d.store.EndpointStats(ctx, since)
}

// LastFailures returns the last failed attempts at an endpoint since a time, the newest first; at most limit.
func (d *Direct) LastFailures(ctx context.Context, endpoint string, since time.Time, limit int) ([]Failure, error) {
	attempts, err := d.store.LastFailures(ctx, endpoint, since, limit)
	list := []Failure{}
	for _, a := range attempts {
		list = append(list, Failure{WholeAttempt(a), a.EventID})
	}
	return list, err
}
