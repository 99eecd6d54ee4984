package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

// DeliveryPage is a page of a list of deliveries.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries" doc:"Those of the newest events first, without their attempts."`
	Next       string     `json:"next,omitempty" doc:"The cursor of the next page; absent on the last page."`
	Reached    time.Time  `json:"reached,omitzero" doc:"How far back the search came when its time was over: next continues there. Absent if the page is full or the search complete."`
}

// deliveryPatience limits the time of a search for a page of deliveries. Then the page has those found so far.
const deliveryPatience = 10 * time.Second

// Deliveries returns a page of the selected deliveries, those of the newest events first. The empty cursor is the
// beginning.
func (d *Direct) Deliveries(ctx context.Context, sel event.DeliverySelection, limit int, cursor string) (DeliveryPage,
	error) {
	before, err := decodeDeliveryCursor(cursor)
	if err != nil {
		return DeliveryPage{}, err
	}
	if sel, err = d.selectedDeliveries(ctx, sel); err != nil {
		return DeliveryPage{}, err
	}
	found, rest, err := d.store.ListDeliveries(ctx, sel, store.DeliveryPage{Limit: limit + 1, Before: before},
		deliveryPatience)
	if err != nil {
		return DeliveryPage{}, err
	}
	page, more := DeliveryPage{Deliveries: []Delivery{}}, len(found) > limit
	found = found[:min(len(found), limit)]
	for _, one := range found {
		page.Deliveries = append(page.Deliveries, deliveryJSON(one))
	}
	if err := d.withWaiting(ctx, found, page.Deliveries); err != nil {
		return DeliveryPage{}, err
	}
	switch {
	case more:
		last := found[limit-1]
		page.Next = encodeDeliveryCursor(last.EventReceivedAt, last.ID())
	case rest != nil:
		page.Next, page.Reached = encodeDeliveryCursor(rest.At, rest.ID), rest.At
	}
	return page, nil
}

// selectedDeliveries returns a selection as the database knows it. It refuses one that is invalid or that names an
// unknown endpoint.
func (d *Direct) selectedDeliveries(ctx context.Context, sel event.DeliverySelection) (event.DeliverySelection, error) {
	if err := CheckSelection(sel.Faults()); err != nil {
		return sel, err
	}
	sel.Endpoints = slices.Clone(sel.Endpoints)
	for i, name := range sel.Endpoints {
		sel.Endpoints[i] = replay.TargetName(name)
	}
	return sel, d.service.CheckEndpoints(ctx, sel.Endpoints...)
}

// encodeDeliveryCursor encodes the place of a page's last delivery.
func encodeDeliveryCursor(at time.Time, id event.DeliveryID) string {
	fork, _ := hex.DecodeString(id.Fork) // of a delivery's id, or empty
	return encodeCursor(at, append(id.Event[:], fork...))
}

// decodeDeliveryCursor returns nil for the empty cursor.
func decodeDeliveryCursor(s string) (*store.DeliveryCursor, error) {
	const size, forkSize = len(uuid.UUID{}), 4
	return decodeCursor(s, func(at time.Time, id []byte) store.DeliveryCursor {
		return store.DeliveryCursor{At: at, ID: event.DeliveryID{Event: uuid.UUID(id[:size]),
			Fork: hex.EncodeToString(id[size:])}}
	}, size, size+forkSize)
}

// Delivery returns a delivery with its attempts. Its answers may quote the event, so the view is recorded.
func (d *Direct) Delivery(ctx context.Context, id event.DeliveryID) (Delivery, error) {
	list, _, err := d.deliveries(ctx, id.Event)
	if err != nil {
		return Delivery{}, err
	}
	i := slices.IndexFunc(list, func(one Delivery) bool { return one.ID == id.String() })
	if i < 0 {
		return Delivery{}, notFound("delivery", id)
	}
	return list[i], d.recordView(ctx, "delivery.view", id.String())
}

// RecordDeliveriesDownload records that the principal downloads the selected deliveries.
func (d *Direct) RecordDeliveriesDownload(ctx context.Context, sel event.DeliverySelection) error {
	return d.recordView(ctx, "deliveries.download", "/deliveries?"+sel.Values().Encode())
}

// FailureGroup is a number of deliveries that failed alike.
type FailureGroup struct {
	Key         string                         `json:"key" doc:"Its key, for the filter group."`
	Endpoint    string                         `json:"endpoint" doc:"The endpoint's name, or the URL with the values of its query masked."`
	StatusCode  uint16                         `json:"status_code,omitempty" doc:"The status of the last answers; absent without an answer."`
	Outcome     event.Outcome                  `json:"outcome,omitempty" doc:"The outcome of the last attempts; absent if there was no attempt."`
	Line        string                         `json:"line" doc:"The first line of the answers or, without an answer, the error; numbers and hexadecimal ids are #."`
	FirstSeen   time.Time                      `json:"first_seen" doc:"The first attempt of one of them."`
	LastSeen    time.Time                      `json:"last_seen" doc:"The last failure of one of them."`
	Count       uint64                         `json:"count" doc:"How many deliveries it has."`
	States      map[event.DeliveryState]uint64 `json:"states" doc:"How many deliveries are in each state."`
	Resolved    uint64                         `json:"resolved" doc:"How many of them were resolved: their events were delivered to the endpoint later, live or by a replay."`
	Subscribers uint64                         `json:"subscribers" doc:"How many people their events are about."`
	Example     string                         `json:"example" doc:"The id of the delivery that failed last."`
}

// Open returns the number of its deliveries that were not resolved later.
func (g FailureGroup) Open() uint64 { return g.Count - min(g.Resolved, g.Count) }

// FailureGroups groups the selected deliveries that failed, those seen last first; at most limit. Without states in the
// selection they are the failed and the retrying ones.
func (d *Direct) FailureGroups(ctx context.Context, sel event.DeliverySelection, limit int) (FailureGroupList, error) {
	sel, err := d.selectedDeliveries(ctx, sel)
	if err != nil {
		return FailureGroupList{}, err
	}
	found, err := d.store.FailureGroups(ctx, sel, limit)
	list := FailureGroupList{Groups: make([]FailureGroup, len(found.Groups)), Count: found.Count,
		Resolved: found.Resolved}
	for i, g := range found.Groups {
		list.Groups[i] = FailureGroup{Key: g.Key, Endpoint: replay.TargetName(g.Endpoint), StatusCode: g.StatusCode,
			Outcome: g.Outcome, Line: g.Line, FirstSeen: g.FirstSeen, LastSeen: g.LastSeen, States: g.States,
			Resolved: g.Resolved, Subscribers: g.Subscribers, Example: g.Example.ID().String()}
		for _, n := range g.States {
			list.Groups[i].Count += n
		}
	}
	return list, err
}

// FailureGroupList is a list of failure groups.
type FailureGroupList struct {
	Groups   []FailureGroup `json:"groups" doc:"Those seen last first."`
	Count    uint64         `json:"count" doc:"How many deliveries all groups have, also those beyond the limit."`
	Resolved uint64         `json:"resolved" doc:"How many of them were resolved."`
}

// DeliveryPath has the id of a delivery.
type DeliveryPath struct {
	ID string `path:"id" maxLength:"45" doc:"The delivery's id, a unique beginning of it, such as the id of an event with one delivery, or last."`
}

// FormatQuery has the format of a page.
type FormatQuery struct {
	Format string `query:"format" enum:"json,csv,ndjson" default:"json" doc:"The format of the page. With csv and ndjson the header Link has the address of the next page."`
}

type deliveriesInput struct {
	DeliverySelectionQuery
	PageQuery
	FormatQuery
}

type replayDeliveriesInput struct {
	ReplayPath
	DeliverySelectionQuery
	PageQuery
	FormatQuery
}

type groupsInput struct {
	DeliverySelectionQuery
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"The most groups."`
}

type deliveriesOutput struct {
	ContentType string `header:"Content-Type"`
	Link        string `header:"Link"`
	Body        []byte
}

// deliveryPage answers with a page of deliveries in a format. path is that of the list.
func (s *server) deliveryPage(ctx context.Context, path string, sel event.DeliverySelection, page PageQuery,
	format string) (*deliveriesOutput, error) {
	found, err := s.as(ctx).Deliveries(ctx, sel, page.Limit, page.Cursor)
	if err != nil {
		return nil, err
	}
	out, body := &deliveriesOutput{ContentType: "application/json"}, &bytes.Buffer{}
	if format == "json" {
		err = json.NewEncoder(body).Encode(found)
	} else {
		out.ContentType = RowTypes[format]
		err = WriteRows(NewRows(body, format, DeliveryColumns()), found.Deliveries)
	}
	if found.Next != "" && format != "json" {
		query := sel.Values()
		query.Set("limit", strconv.Itoa(page.Limit))
		query.Set("cursor", found.Next)
		query.Set("format", format)
		if path != "/api/v1/deliveries" {
			query.Del("replay")
		}
		out.Link = "<" + path + "?" + query.Encode() + `>; rel="next"`
	}
	out.Body = body.Bytes()
	return out, err
}

// deliveryFormats describes the answers of deliveryPage.
func (s *server) deliveryFormats() map[string]*huma.Response {
	content, text := s.json(DeliveryPage{}), &huma.Schema{Type: huma.TypeString}
	content[csvType], content[RowTypes["ndjson"]] = &huma.MediaType{Schema: text}, &huma.MediaType{Schema: text}
	return map[string]*huma.Response{"200": {Description: "The page", Content: content,
		Headers: map[string]*huma.Param{"Link": {Schema: text,
			Description: "The address of the next page (rel=next), with csv and ndjson; absent on the last page."}}}}
}

func (s *server) deliveryRoutes() {
	route(s, RoleRead, "GET /deliveries", huma.Operation{OperationID: "list-deliveries",
		Parameters: selectionParams(event.DeliveryFilters),
		Responses:  s.deliveryFormats(),
		Summary:    "List deliveries",
		Description: "Those of the newest events first, in pages. A delivery matches one of the values of a repeated " +
			"parameter, and all different parameters."},
		func(ctx context.Context, in *deliveriesInput) (*deliveriesOutput, error) {
			sel, err := in.selection(ctx, s.as(ctx))
			if err != nil {
				return nil, err
			}
			return s.deliveryPage(ctx, "/api/v1/deliveries", sel, in.PageQuery, in.Format)
		})
	reply(s, RoleRead, "GET /deliveries/groups", huma.Operation{OperationID: "list-failure-groups",
		Parameters: selectionParams(event.DeliveryFilters),
		Summary:    "List failure groups",
		Description: "Selected deliveries that failed, by endpoint, status, outcome, and first line of the answer " +
			"without numbers. Without state: the failed and the retrying ones."},
		func(ctx context.Context, in *groupsInput) (FailureGroupList, error) {
			sel, err := in.selection(ctx, s.as(ctx))
			if err != nil {
				return FailureGroupList{}, err
			}
			return s.as(ctx).FailureGroups(ctx, sel, in.Limit)
		})
	reply(s, RoleRead, "GET /deliveries/{id}", huma.Operation{OperationID: "get-delivery",
		Errors:      []int{http.StatusNotFound},
		Summary:     "Show a delivery",
		Description: "With every attempt and its answer. The audit log records the view."},
		func(ctx context.Context, in *DeliveryPath) (Delivery, error) {
			whole, err := s.find(ctx, event.NamesDelivery, "path.id", in.ID)
			if err != nil {
				return Delivery{}, err
			}
			id, err := event.ParseDeliveryID(whole)
			if err != nil {
				return Delivery{}, err
			}
			return s.as(ctx).Delivery(ctx, id)
		})
	reply(s, RoleReplay, "POST /deliveries/retry", huma.Operation{OperationID: "retry-deliveries",
		MaxBodyBytes: maxBodyBytes, DefaultStatus: http.StatusOK,
		Summary: "Retry deliveries",
		Description: "Retrying ones are tried now. Those that failed or were cancelled are sent again by new " +
			"replays, one for each endpoint and replay in which they failed (its parent), with the same options. " +
			"Delivered ones are never sent again; the events of those that a later replay has sent are left out."},
		func(ctx context.Context, in *retryInput) (Retried, error) {
			return s.as(ctx).RetryDeliveries(ctx, in.Key, in.Body)
		})
	ofReplay := slices.DeleteFunc(slices.Clone(event.DeliveryFilters), func(f event.Filter) bool {
		return f.Name == "replay"
	})
	route(s, RoleRead, "GET /replays/{id}/deliveries", huma.Operation{OperationID: "list-replay-deliveries",
		Parameters: selectionParams(ofReplay), Errors: []int{http.StatusNotFound}, Responses: s.deliveryFormats(),
		Summary: "List a replay's deliveries", Description: "As GET /api/v1/deliveries does with replay."},
		func(ctx context.Context, in *replayDeliveriesInput) (*deliveriesOutput, error) {
			id, err := s.inPath(ctx, event.NamesReplay, in.ID)
			if err != nil {
				return nil, err
			}
			if _, err := s.as(ctx).Replay(ctx, id); err != nil {
				return nil, err
			}
			sel, err := in.selection(ctx, s.as(ctx))
			if err != nil {
				return nil, err
			}
			sel.Replays = []string{id.String()}
			return s.deliveryPage(ctx, "/api/v1/replays/"+id.String()+"/deliveries", sel, in.PageQuery, in.Format)
		})
}

// Waiting says why a delivery, an endpoint or a replay waits.
type Waiting = event.Waiting

// Retried says what a retry of deliveries does.
type Retried = replay.Retried

// DeliveryRetry is a request to retry deliveries.
type DeliveryRetry struct {
	Selection event.DeliverySelection `json:"selection" doc:"Which deliveries, by filters or by their ids; at least one filter."`
	DryRun    bool                    `json:"dry_run,omitempty" doc:"Only return what would be done."`
}

// RetryDeliveries tries selected deliveries again: see replay.Service.Retry.
func (d *Direct) RetryDeliveries(ctx context.Context, key string, want DeliveryRetry) (Retried, error) {
	if err := d.require(RoleReplay); err != nil {
		return Retried{}, err
	}
	sel, err := d.selectedDeliveries(ctx, want.Selection)
	if err != nil {
		return Retried{}, err
	}
	return d.service.Retry(ctx, d.actor, key, sel, want.DryRun)
}

// withWaiting adds to deliveries of a list why they wait.
func (d *Direct) withWaiting(ctx context.Context, found []event.Delivery, list []Delivery) error {
	waiting, err := d.service.WaitingDeliveries(ctx, found)
	for i := range waiting {
		list[i].Waiting = waiting[i]
	}
	return err
}

type retryInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Your name for this request: repeating it with the same name creates no further replays."`
	Body DeliveryRetry
}
