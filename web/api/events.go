package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// PageQuery says which page of a list. (The library reads embedded parameters of exported types alone.)
type PageQuery struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"At most this many."`
	Cursor string `query:"cursor" maxLength:"64" doc:"The next of the page before; absent for the first page."`
}

type idPath struct {
	ID string `path:"id" format:"uuid" doc:"The event's id."`
}

func (p idPath) uuid() uuid.UUID { return uuid.MustParse(p.ID) } // the library has checked it

type eventsInput struct {
	SelectionQuery
	PageQuery
}

type eventsOutput struct{ Body EventPage }

// EventSearch is a selection that is too long for a URL, and the page wanted of it.
type EventSearch struct {
	Selection event.Selection `json:"selection" doc:"Which events."`
	Limit     int             `json:"limit,omitempty" default:"50" minimum:"1" maximum:"1000" doc:"At most this many."`
	Cursor    string          `json:"cursor,omitempty" maxLength:"64" doc:"The next of the page before; absent for the first page."`
}

func (s *server) events() {
	route(s, RoleRead, huma.Operation{OperationID: "list-events", Method: http.MethodGet, Path: "/events", Tags: []string{"Events"}, Parameters: selectionParams(),
		Summary: "List events", Description: "Newest first, page by page. Of parameters of one name any value matches; those of different names must all match."},
		func(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
			return s.page(ctx, in.selection, in.Limit, in.Cursor)
		})
	route(s, RoleRead, huma.Operation{OperationID: "search-events", Method: http.MethodPost, Path: "/events/search", Tags: []string{"Events"},
		Summary: "List events by a selection in the body", Description: "The same list, for selections that are too long for a URL, such as thousands of ids.", MaxBodyBytes: maxBodyBytes},
		func(ctx context.Context, in *struct{ Body EventSearch }) (*eventsOutput, error) {
			return s.page(ctx, in.Body.Selection, in.Body.Limit, in.Body.Cursor)
		})
	route(s, RoleRead, huma.Operation{OperationID: "get-event", Method: http.MethodGet, Path: "/events/{id}", Tags: []string{"Events"},
		Summary: "Show an event", Description: "The request as it came, what was read from it, and its deliveries. That it was looked at stands in the audit log.", Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *idPath) (*struct{ Body Event }, error) {
			e, err := s.as(ctx).Event(ctx, in.uuid())
			return &struct{ Body Event }{e}, err
		})
	route(s, RoleRead, huma.Operation{OperationID: "get-event-raw", Method: http.MethodGet, Path: "/events/{id}/raw", Tags: []string{"Events"},
		Summary: "Get an event's body", Description: "The bytes exactly as they came. That they were looked at stands in the audit log.", Errors: []int{http.StatusNotFound, http.StatusGone},
		Responses: map[string]*huma.Response{"200": {Description: "The body's bytes", Content: map[string]*huma.MediaType{octets: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}},
		func(ctx context.Context, in *idPath) (*rawOutput, error) {
			body, err := s.as(ctx).Body(ctx, in.uuid())
			if body == nil {
				body = []byte{}
			}
			return &rawOutput{ContentType: octets, Disposition: `attachment; filename="` + in.ID + `.body"`, Body: body}, err
		})
	route(s, RoleRead, huma.Operation{OperationID: "list-deliveries", Method: http.MethodGet, Path: "/events/{id}/deliveries", Tags: []string{"Events"},
		Summary: "List an event's deliveries", Description: "Every way of the event to an endpoint, live first, with every attempt and what was answered.", Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *idPath) (*deliveriesOutput, error) {
			list, err := s.as(ctx).Deliveries(ctx, in.uuid())
			return &deliveriesOutput{DeliveryList{list}}, err
		})
}

// octets is what no browser shows or runs.
const octets = "application/octet-stream"

type rawOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// DeliveryList is the deliveries of an event.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries" doc:"Live first, then replays in order of their making."`
}

type deliveriesOutput struct{ Body DeliveryList }

func (s *server) page(ctx context.Context, sel event.Selection, limit int, cursor string) (*eventsOutput, error) {
	page, err := s.as(ctx).Events(ctx, sel, limit, cursor)
	return &eventsOutput{page}, err
}
