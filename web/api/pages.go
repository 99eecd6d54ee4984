package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// What the console shows beside what the HTTP API has a route for.
type (
	Bar             = store.Bar           // some of the selected events, by time
	Span            = store.Span          // a part of a trace
	SourceFigures   = store.SourceStats   // what came to a source
	EndpointFigures = store.EndpointStats // how attempts at an endpoint ended
)

// Fate is where an event's delivery to an endpoint stands.
type Fate struct {
	Endpoint string
	State    event.DeliveryState
}

// Failure is a failed attempt of an event.
type Failure struct {
	Attempt
	EventID uuid.UUID
}

// Fates returns where the deliveries of events stand, by the events' ids.
func (d *Direct) Fates(ctx context.Context, events []Event) (map[uuid.UUID][]Fate, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(events))
	first, last := events[0].ReceivedAt, events[0].ReceivedAt
	for i, e := range events {
		ids[i] = e.ID
		if e.ReceivedAt.Before(first) {
			first = e.ReceivedAt
		}
		if e.ReceivedAt.After(last) {
			last = e.ReceivedAt
		}
	}
	found, err := d.store.DeliverySummaries(ctx, ids, first, last)
	fates := map[uuid.UUID][]Fate{}
	for _, f := range found {
		fates[f.EventID] = append(fates[f.EventID], Fate{f.Endpoint, f.State})
	}
	return fates, err
}

// FirstEvent is when the oldest event was received; zero when there is none.
func (d *Direct) FirstEvent(ctx context.Context) (time.Time, error) { return d.store.FirstEvent(ctx) }

// LastEvent is the last accepted event of a source, whenever it came; the zero time for none.
func (d *Direct) LastEvent(ctx context.Context, source string) (time.Time, uuid.UUID, error) {
	return d.store.LastEvent(ctx, source)
}

// Histogram counts the selected events in bars of a width.
func (d *Direct) Histogram(ctx context.Context, sel event.Selection, from, until time.Time, width time.Duration) ([]Bar, error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return nil, err
	}
	return d.store.Histogram(ctx, sel, from, until, width)
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
		shown := WholeEvent(e, nil)
		return &shown
	}
	return whole(first), whole(last), err
}

// Trace returns the spans of an event's arrival and its storing.
func (d *Direct) Trace(ctx context.Context, e Event) ([]Span, error) {
	return d.store.Spans(ctx, e.TraceID, e.ReceivedAt)
}

// SourceFigures sums up what came since a time: of these sources, then of others with the most requests; at most limit.
func (d *Direct) SourceFigures(ctx context.Context, since time.Time, sources []string, limit int) ([]SourceFigures, error) {
	return d.store.SourceStats(ctx, since, sources, limit)
}

// RevealSource writes down that somebody sees the token of a source's hook, which needs the role admin.
func (d *Direct) RevealSource(ctx context.Context, source string) error {
	if err := d.need(RoleAdmin); err != nil {
		return err
	}
	return d.note(ctx, "source.reveal", source)
}

// EndpointNames are the configured endpoints' names, in the order of the configuration.
func (d *Direct) EndpointNames() []string { return d.service.EndpointNames() }

// EndpointFigures sums up the attempts at each endpoint since a time.
func (d *Direct) EndpointFigures(ctx context.Context, since time.Time) ([]EndpointFigures, error) {
	return d.store.EndpointStats(ctx, since)
}

// LastFailures returns the last attempts at an endpoint that failed since a time, the newest first; at most limit.
func (d *Direct) LastFailures(ctx context.Context, endpoint string, since time.Time, limit int) ([]Failure, error) {
	return failures(d.store.LastFailures(ctx, endpoint, since, limit))
}

// ReplayFailures returns the last attempts of a replay that failed, the newest first; at most limit.
func (d *Direct) ReplayFailures(ctx context.Context, r event.Replay, limit int) ([]Failure, error) {
	return failures(d.store.FailuresOf(ctx, r, limit))
}

func failures(attempts []event.Attempt, err error) (list []Failure, _ error) {
	for _, a := range attempts {
		list = append(list, Failure{attemptOf(a), a.EventID})
	}
	return list, err
}

// NoteDownload writes down that somebody downloads the selected events.
func (d *Direct) NoteDownload(ctx context.Context, sel event.Selection) error {
	return d.note(ctx, "events.download", "/?"+named(sel).Values().Encode())
}
