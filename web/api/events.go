package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// EventPage is a page of a list of events.
type EventPage struct {
	Events []Event `json:"events" doc:"The newest first, without requests and deliveries."`
	Next   string  `json:"next,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// Events returns a page of the selected events, newest first. The empty cursor is the beginning.
func (d *Direct) Events(ctx context.Context, sel event.Selection, limit int, cursor string) (EventPage, error) {
	before, err := decodeEventCursor(cursor)
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
	return d.pageOf(ctx, events, limit)
}

// Search is Events with a time limit: after patience it returns what it has found so far. reached is how far back it
// has searched, or nil when the page is full or the search complete. The page's cursor continues the search.
func (d *Direct) Search(ctx context.Context, sel event.Selection, limit int, cursor string, patience time.Duration) (
	page EventPage, reached *time.Time, err error) {
	before, err := decodeEventCursor(cursor)
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
	if page, err = d.pageOf(ctx, events, limit); err != nil {
		return EventPage{}, nil, err
	}
	if rest == nil {
		return page, nil, nil
	}
	page.Next = encodeCursor(rest.At, rest.ID[:])
	if len(page.Events) == limit {
		return page, nil, nil
	}
	return page, &rest.At, nil
}

// pageOf returns a page of the first limit events, with a cursor if there are more.
func (d *Direct) pageOf(ctx context.Context, events []event.Event, limit int) (page EventPage, err error) {
	if page.Events, err = d.list(ctx, events[:min(len(events), limit)]); err != nil {
		return page, err
	}
	if len(events) > limit {
		last := page.Events[limit-1]
		page.Next = encodeCursor(last.ReceivedAt, last.ID[:])
	}
	return page, nil
}

// decodeEventCursor returns nil for the empty cursor.
func decodeEventCursor(s string) (*store.Cursor, error) {
	return decodeCursor(s, func(at time.Time, id []byte) store.Cursor {
		return store.Cursor{At: at, ID: uuid.UUID(id)}
	},
		len(uuid.UUID{}))
}

// Event returns an event with its request and its deliveries, and records the view.
func (d *Direct) Event(ctx context.Context, id uuid.UUID) (Event, error) {
	e, err := d.event(ctx, id)
	if err != nil {
		return Event{}, err
	}
	deliveries, forward, err := d.deliveries(ctx, id)
	if err == nil {
		err = d.recordView(ctx, "event.view", id.String())
	}
	j := WholeEvent(e, deliveries)
	if j.Forward = forward; forward != nil {
		j.Fallback, j.MissingKeys = forward.Fallback, forward.MissingKeys
		j.BrokenOff = event.BrokenOff(forward.Fallback, forward.Outcome)
	}
	return j, err
}

// Body returns the bytes of an event's body, and records the view. It returns a [*Problem] if the body is past its
// retention.
func (d *Direct) Body(ctx context.Context, id uuid.UUID) ([]byte, error) {
	e, err := d.event(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.BodyGone() {
		return nil, Problemf(http.StatusGone, "the body of event %s is past its retention; only its hash is left", id)
	}
	return e.Body, d.recordView(ctx, "event.download", id.String())
}

// EventDeliveries returns the deliveries of an event.
func (d *Direct) EventDeliveries(ctx context.Context, id uuid.UUID) ([]Delivery, error) {
	list, _, err := d.deliveries(ctx, id)
	if err == nil && len(list) == 0 {
		_, err = d.event(ctx, id) // fails for an unknown event
	}
	return list, err
}

func (d *Direct) event(ctx context.Context, id uuid.UUID) (*event.Event, error) {
	e, err := d.store.Event(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		p := notFound("event", id)
		p.Detail += " (a new event is stored within a second)"
		return nil, p
	}
	return e, err
}

// deliveries returns the deliveries of an event, and the attempt for which a bot waited, if there is one.
func (d *Direct) deliveries(ctx context.Context, id uuid.UUID) ([]Delivery, *Forward, error) {
	deliveries, err := d.store.DeliveriesOf(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	attempts, err := d.store.AttemptsOf(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	list := deliveriesJSON(deliveries, attempts)
	return list, forwardOf(attempts), d.withWaiting(ctx, deliveries, list)
}

// PageQuery has the parameters of a page. It is exported because huma reads embedded parameters of exported types only.
type PageQuery struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"The most events of a page."`
	Cursor string `query:"cursor" maxLength:"64" doc:"The next of the previous page; absent for the first page."`
}

// EventSearch is a selection that is too long for a URL, and the page of it.
type EventSearch struct {
	Selection event.Selection `json:"selection" doc:"Which events."`
	Limit     int             `json:"limit,omitempty" default:"50" minimum:"1" maximum:"1000" doc:"The most events of a page."`
	Cursor    string          `json:"cursor,omitempty" maxLength:"64" doc:"The next of the previous page; absent for the first page."`
}

// DeliveryList is the deliveries of an event.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries" doc:"Live delivery first, then replays in order of creation."`
}

type idPath struct {
	ID string `path:"id" maxLength:"36" doc:"The event's id, a unique beginning of it, or last."`
}

type eventsInput struct {
	SelectionQuery
	PageQuery
}

type bodyOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// octetStream is a type that no browser displays or runs.
const octetStream = "application/octet-stream"

func (s *server) eventRoutes() {
	reply(s, RoleRead, "GET /events", huma.Operation{OperationID: "list-events",
		Parameters: selectionParams(event.Filters),
		Summary:    "List events",
		Description: "Newest first, in pages. An event matches one of the values of a repeated parameter, and all " +
			"different parameters."},
		func(ctx context.Context, in *eventsInput) (EventPage, error) {
			sel, err := in.selection(ctx, s.as(ctx))
			if err != nil {
				return EventPage{}, err
			}
			return s.as(ctx).Events(ctx, sel, in.Limit, in.Cursor)
		})
	reply(s, RoleRead, "POST /events/search", huma.Operation{OperationID: "search-events",
		MaxBodyBytes: maxBodyBytes,
		Summary:      "List events by a selection in the body",
		Description:  "The same list, for selections that are too long for a URL, such as thousands of ids."},
		func(ctx context.Context, in *struct{ Body EventSearch }) (EventPage, error) {
			return s.as(ctx).Events(ctx, in.Body.Selection, in.Body.Limit, in.Body.Cursor)
		})
	reply(s, RoleRead, "GET /events/{id}", huma.Operation{OperationID: "get-event",
		Errors:      []int{http.StatusNotFound},
		Summary:     "Show an event",
		Description: "The original request, its parsed fields, and its deliveries. The audit log records the view."},
		func(ctx context.Context, in *idPath) (Event, error) {
			id, err := s.inPath(ctx, event.NamesEvent, in.ID)
			if err != nil {
				return Event{}, err
			}
			return s.as(ctx).Event(ctx, id)
		})
	route(s, RoleRead, "GET /events/{id}/raw", huma.Operation{OperationID: "get-event-raw",
		Errors:      []int{http.StatusNotFound, http.StatusGone},
		Summary:     "Get an event's body",
		Description: "The exact bytes. The audit log records the download.",
		Responses: map[string]*huma.Response{"200": {Description: "The bytes of the body",
			Content: map[string]*huma.MediaType{octetStream: {Schema: &huma.Schema{Type: "string",
				Format: "binary"}}}}}},
		func(ctx context.Context, in *idPath) (*bodyOutput, error) {
			id, err := s.inPath(ctx, event.NamesEvent, in.ID)
			if err != nil {
				return nil, err
			}
			body, err := s.as(ctx).Body(ctx, id)
			if body == nil {
				body = []byte{}
			}
			return &bodyOutput{ContentType: octetStream,
				Disposition: `attachment; filename="` + id.String() + `.body"`, Body: body}, err
		})
	reply(s, RoleRead, "GET /events/{id}/deliveries", huma.Operation{OperationID: "list-event-deliveries",
		Errors:      []int{http.StatusNotFound},
		Summary:     "List an event's deliveries",
		Description: "The deliveries of the event to each endpoint, live first, with every attempt and its answer."},
		func(ctx context.Context, in *idPath) (DeliveryList, error) {
			id, err := s.inPath(ctx, event.NamesEvent, in.ID)
			if err != nil {
				return DeliveryList{}, err
			}
			list, err := s.as(ctx).EventDeliveries(ctx, id)
			return DeliveryList{list}, err
		})
}
