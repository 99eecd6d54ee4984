package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

// Direct answers every question from the database: those of the HTTP API, of the console and of commands. It refuses what the
// role of the one who asks does not cover, and writes into the audit log who has looked at what, for all of them alike.
type Direct struct {
	store   *store.Store
	service *replay.Service
	recent  *recent
	looks   *looks
	by      replay.Actor
	who     *Bearer // nil for who has the database, and so everything
}

// NewDirect makes a Direct that acts in someone's name, who may do everything and whose looks are not written down: it is for
// the command line, which has the database anyway.
func NewDirect(db *store.Store, service *replay.Service, by replay.Actor) *Direct {
	d := &Direct{store: db, service: service, by: by, looks: newLooks(db)}
	d.recent = newRecent(d.Replay)
	return d
}

// As answers the bearer of a token, who asks from an address.
func (d *Direct) As(who Bearer, remote netip.Addr) *Direct {
	other := *d
	other.who = &who
	other.by = replay.Actor{Name: who.Name, RemoteIP: remote, MayReachPrivate: who.Role.Covers(RoleAdmin)}
	return &other
}

// need refuses what needs a role.
func (d *Direct) need(role Role) error {
	if d.who == nil {
		return nil
	}
	return d.who.Need(role)
}

// note writes into the audit log that somebody looks at something. What cannot be written down must not be shown.
func (d *Direct) note(ctx context.Context, action, target string) error {
	if d.who == nil {
		return nil
	}
	return d.looks.note(ctx, d.by, action, target)
}

// EventPage is a page of a list of events.
type EventPage struct {
	Events []Event `json:"events" doc:"The newest first, without requests and deliveries."`
	Next   string  `json:"next,omitempty" doc:"The cursor of the page after this one; absent on the last."`
}

// Events returns a page of selected events, newest first. The empty cursor is the beginning.
func (d *Direct) Events(ctx context.Context, sel event.Selection, limit int, cursor string) (EventPage, error) {
	before, err := decodeCursor(cursor)
	if err != nil {
		return EventPage{}, err
	}
	if sel, err = d.selected(ctx, sel); err != nil {
		return EventPage{}, err
	}
	events, err := d.store.ListEvents(ctx, sel, store.Page{Limit: limit + 1, Before: before})
	if err != nil {
		return EventPage{}, err
	}
	return pageOf(events, limit), nil
}

// Count returns how many events are selected, or atMost when they are more; 0 is no limit.
func (d *Direct) Count(ctx context.Context, sel event.Selection, atMost uint64) (uint64, error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return 0, err
	}
	return d.store.CountEvents(ctx, sel, atMost)
}

// pageOf is a page of the first of events, with a cursor when there are more.
func pageOf(events []event.Event, limit int) EventPage {
	page := EventPage{Events: briefEvents(events[:min(len(events), limit)])}
	if len(events) > limit {
		last := page.Events[limit-1]
		page.Next = encodeCursor(store.Cursor{At: last.ReceivedAt, ID: last.ID})
	}
	return page
}

// Search is Events for somebody who waits: after patience it returns what it has found, how far back it has looked (nil: to
// the beginning, or the page is full), and with the cursor of the page one goes on from there.
func (d *Direct) Search(ctx context.Context, sel event.Selection, limit int, cursor string, patience time.Duration) (EventPage, *time.Time, error) {
	before, err := decodeCursor(cursor)
	if err != nil {
		return EventPage{}, nil, err
	}
	if sel, err = d.selected(ctx, sel); err != nil {
		return EventPage{}, nil, err
	}
	events, rest, err := d.store.SearchEvents(ctx, sel, store.Page{Limit: limit + 1, Before: before}, patience)
	if err != nil {
		return EventPage{}, nil, err
	}
	page := pageOf(events, limit)
	if rest == nil {
		return page, nil, nil
	}
	page.Next = encodeCursor(*rest)
	if len(page.Events) == limit {
		return page, nil, nil
	}
	return page, &rest.At, nil
}

// Now is the database's clock, by which events are stored.
func (d *Direct) Now(ctx context.Context) (time.Time, error) { return d.store.Now(ctx) }

// EventsStored returns selected events that were stored at a time or later, the last received first; at most limit.
func (d *Direct) EventsStored(ctx context.Context, sel event.Selection, since time.Time, limit int) ([]Event, error) {
	sel, err := d.selected(ctx, sel)
	if err != nil {
		return nil, err
	}
	events, err := d.store.ListStored(ctx, sel, since, limit)
	return briefEvents(events), err
}

// Event returns one event with its request and its deliveries.
func (d *Direct) Event(ctx context.Context, id uuid.UUID) (Event, error) {
	e, err := d.event(ctx, id)
	if err != nil {
		return Event{}, err
	}
	deliveries, err := d.deliveries(ctx, id)
	if err == nil {
		err = d.note(ctx, "event.view", id.String())
	}
	return WholeEvent(e, deliveries), err
}

// Body returns the bytes of an event's body as they came. One that is past its retention is a Problem.
func (d *Direct) Body(ctx context.Context, id uuid.UUID) ([]byte, error) {
	e, err := d.event(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.BodyGone() {
		return nil, problem(http.StatusGone, "the body of event %s is past its retention; only its hash is left", id)
	}
	return e.Body, d.note(ctx, "event.download", id.String())
}

// Deliveries returns every way of an event to an endpoint.
func (d *Direct) Deliveries(ctx context.Context, id uuid.UUID) ([]Delivery, error) {
	list, err := d.deliveries(ctx, id)
	if err == nil && len(list) == 0 {
		_, err = d.event(ctx, id) // none of an event that is not there
	}
	return list, err
}

func (d *Direct) event(ctx context.Context, id uuid.UUID) (*event.Event, error) {
	e, err := d.store.Event(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		p := notFound("event", id)
		p.Detail += " (one that has just been received is stored within a second)"
		return nil, p
	}
	return e, err
}

func (d *Direct) deliveries(ctx context.Context, id uuid.UUID) ([]Delivery, error) {
	deliveries, err := d.store.DeliveriesOf(ctx, id)
	if err != nil {
		return nil, err
	}
	attempts, err := d.store.AttemptsOf(ctx, id)
	return deliveriesJSON(deliveries, attempts), err
}

// Plan is what a replay would do.
type Plan struct {
	replay.Plan
	First   *time.Time `json:"first,omitempty" doc:"When the first of them was received; absent when there is none."`
	Last    *time.Time `json:"last,omitempty" doc:"When the last of them was received; absent when there is none."`
	Samples []Event    `json:"samples" doc:"The first few of them, in order of arrival."`
}

// Plan tells what a request would do, and does nothing.
func (d *Direct) Plan(ctx context.Context, want replay.Request) (Plan, error) {
	if err := d.wanted(&want); err != nil {
		return Plan{}, err
	}
	p, err := d.service.Plan(ctx, d.by, want)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Plan: p, Samples: briefEvents(p.Heads)}
	plan.Endpoint = replay.TargetName(plan.Endpoint)
	if p.Count > 0 {
		plan.First, plan.Last = &p.First, &p.Last
	} else {
		plan.Parts = []store.PlanPart{}
	}
	return plan, nil
}

// wanted checks a request, and has its endpoints by their names.
func (d *Direct) wanted(want *replay.Request) error {
	if err := d.need(RoleReplay); err != nil {
		return err
	}
	err := d.allowed(want.Selection)
	want.Selection = named(want.Selection)
	return err
}

// Create makes a replay and lets it run. A second creation under the same key, unless that is empty, returns the replay
// of the first. It returns replay.ErrNothing when there is nothing to send.
func (d *Direct) Create(ctx context.Context, key string, want replay.Request) (event.Replay, error) {
	if err := d.wanted(&want); err != nil {
		return event.Replay{}, err
	}
	r, err := d.service.Create(ctx, d.by, key, want)
	if err != nil {
		return event.Replay{}, err
	}
	return shown(r), nil
}

// Replays lists the newest first, or those made before a replay; with states, those in one of them.
func (d *Direct) Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay, error) {
	replays, err := d.store.Replays(ctx, before, limit, states...)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("replay", before)
	}
	list := make([]event.Replay, len(replays))
	for i, r := range replays {
		list[i] = shown(r)
		list[i].Selection = shortened(list[i].Selection)
	}
	return list, err
}

// Replay returns one replay with its counts.
func (d *Direct) Replay(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	r, err := d.store.Replay(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, notFound("replay", id)
	}
	return shown(r), err
}

// shown is a replay as people see it.
func shown(r event.Replay) event.Replay {
	if len(r.Counts) == 0 && r.Total > 0 { // nobody has looked at it yet
		r.Counts = map[event.DeliveryState]uint64{event.Pending: r.Total}
	}
	return masked(r)
}

// Steer pauses, resumes or cancels a replay, or changes its rate. The process that delivers takes it up within a second.
func (d *Direct) Steer(ctx context.Context, id uuid.UUID, action event.Action, perSecond float64) error {
	if err := d.need(RoleReplay); err != nil {
		return err
	}
	err := d.service.Steer(ctx, d.by, id, action, perSecond)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("replay", id)
	}
	return err
}

// Progress is how far a replay is.
type Progress struct {
	Replay event.Replay `json:"replay" doc:"The replay, with its counts and its rate of late."`
	// SecondsLeft is an estimate from the rate of late.
	SecondsLeft *float64 `json:"seconds_left,omitempty" doc:"How long it takes from here at the rate of late; absent where nobody can tell."`

	ended bool // there is no more after this
}

func progressOf(r event.Replay) Progress {
	r.Selection = shortened(r.Selection)
	p := Progress{Replay: r}
	if r.PerSecond > 0 && r.State == event.ReplayRunning {
		left := float64(r.Open()) / r.PerSecond
		p.SecondsLeft = &left
	}
	return p
}

// watchInterval is how often a watched replay is looked at.
const watchInterval = time.Second

// Watch calls each with a replay's progress, at once and then each second, until it is at its end, each returns an error,
// or ctx ends. While nothing can be learnt, each is called with the reason and the progress known last.
func (d *Direct) Watch(ctx context.Context, id uuid.UUID, each func(p Progress, lost error) error) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	var last Progress
	// What a watcher sees first must not be older than what it has just done.
	look := d.recent.fresh
	for ending := 0; ; look = d.recent.get {
		r, err := look(ctx, id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			last = progressOf(r)
		case !errors.Is(err, store.ErrUnavailable):
			return err
		}
		if last.Replay.State.Final() {
			ending++
		}
		last.ended = ended(last.Replay, ending)
		if err := each(last, err); err != nil || last.ended {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended tells whether a replay is at its end after so many looks that say so. One that somebody has cancelled shows that
// at once, but is at its end when what was on its way has come back; without a process that delivers nothing ever does.
func ended(r event.Replay, looks int) bool {
	const patience = 10
	return looks > 0 && (r.Open() == 0 || looks > patience)
}
