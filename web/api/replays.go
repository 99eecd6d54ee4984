package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
)

// NewReplay is a replay to make.
type NewReplay struct {
	replay.Request
	DryRun bool `json:"dry_run,omitempty" doc:"Tell what would be sent, and send nothing."`
}

type createInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"A name of yours for this creation: doing it again under the same name returns the replay that it has made."`
	Body NewReplay
}

// createOutput has an event.Replay when one was made, else a Plan.
type createOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

// ReplayList is a list of replays.
type ReplayList struct {
	Replays []event.Replay `json:"replays" doc:"The newest first."`
}

type replaysInput struct {
	Limit  int                 `query:"limit" default:"20" minimum:"1" maximum:"1000" doc:"At most this many."`
	Before string              `query:"before" format:"uuid" doc:"Those made before this replay: the last one of the page before."`
	State  []event.ReplayState `query:"state,explode" doc:"In one of these states."`
}

// ReplayPath names a replay.
type ReplayPath struct {
	ID string `path:"id" format:"uuid" doc:"The replay's id."`
}

func (p ReplayPath) uuid() uuid.UUID { return uuid.MustParse(p.ID) } // the library has checked it

type replayOutput struct{ Body event.Replay }

// ReplayPatch is what to change of a replay.
type ReplayPatch struct {
	State event.ReplayState `json:"state,omitempty" enum:"paused,running" doc:"paused: send nothing more until it is resumed. running: go on."`
	Rate  *float64          `json:"rate,omitempty" minimum:"0" doc:"At most so many requests a second from now on; 0 is as fast as the endpoint answers."`
}

func (s *server) replays() {
	route(s, RoleReplay, huma.Operation{OperationID: "create-replay", Method: http.MethodPost, Path: "/replays", Tags: []string{"Replays"},
		Summary: "Make a replay, or plan one", MaxBodyBytes: maxBodyBytes, DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
		Description: "The selection is frozen: what is stored later does not join. 201 comes with the replay, which runs. 200 comes with a plan and means that nothing was made: by dry_run, or because there is nothing to send (count is 0).",
		Responses: map[string]*huma.Response{
			"200": {Description: "Nothing was made; what would be sent", Content: s.json(Plan{})},
			"201": {Description: "The replay, which runs", Content: s.json(event.Replay{}), Headers: map[string]*huma.Param{"Location": {Description: "The replay's path.", Schema: &huma.Schema{Type: "string", Format: "uri-reference"}}}}}},
		s.create)
	route(s, RoleRead, huma.Operation{OperationID: "list-replays", Method: http.MethodGet, Path: "/replays", Tags: []string{"Replays"},
		Summary: "List replays", Description: "Newest first.", Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *replaysInput) (*struct{ Body ReplayList }, error) {
			before, _ := uuid.Parse(in.Before) // empty, or checked by the library
			list, err := s.as(ctx).Replays(ctx, before, in.Limit, in.State...)
			return &struct{ Body ReplayList }{ReplayList{list}}, err
		})
	route(s, RoleRead, huma.Operation{OperationID: "get-replay", Method: http.MethodGet, Path: "/replays/{id}", Tags: []string{"Replays"},
		Summary: "Show a replay", Description: "With its counts as of updated_at; while it runs they are brought up to date every two seconds.", Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *ReplayPath) (*replayOutput, error) {
			r, err := s.as(ctx).Replay(ctx, in.uuid())
			return &replayOutput{r}, err
		})
	route(s, RoleReplay, huma.Operation{OperationID: "change-replay", Method: http.MethodPatch, Path: "/replays/{id}", Tags: []string{"Replays"},
		Summary: "Pause or resume a replay, or change its rate", Description: "Of a replay that is not at its end." + takenUp, DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound}},
		s.change)
	route(s, RoleReplay, huma.Operation{OperationID: "cancel-replay", Method: http.MethodPost, Path: "/replays/{id}/cancel", Tags: []string{"Replays"},
		Summary: "Cancel a replay", Description: "What is not sent yet will not be; that cannot be undone." + takenUp, DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *ReplayPath) (*replayOutput, error) {
			return s.steer(ctx, in.uuid(), steering{event.ActionCancel, 0})
		})
}

// json is the content of an answer of v's type.
func (s *server) json(v any) map[string]*huma.MediaType {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

func (s *server) create(ctx context.Context, in *createInput) (*createOutput, error) {
	want, d := in.Body.Request, s.as(ctx)
	if !in.Body.DryRun {
		r, err := d.Create(ctx, in.Key, want)
		switch {
		case err == nil && !madeOf(r, want):
			return nil, problem(http.StatusConflict, "this Idempotency-Key was used for another replay (%s); use a new one", r.ID)
		case err == nil:
			return &createOutput{Status: http.StatusCreated, Location: "/api/v1/replays/" + r.ID.String(), Body: r}, nil
		case !errors.Is(err, replay.ErrNothing):
			return nil, err
		}
	}
	plan, err := d.Plan(ctx, want)
	return &createOutput{Status: http.StatusOK, Body: plan}, err
}

// madeOf tells whether a replay may have been made of a request: a key that comes with another request is a mistake.
func madeOf(r event.Replay, want replay.Request) bool {
	return replay.TargetName(want.To) == r.Endpoint && want.Rate == r.Rate && want.Pace == r.Pace && want.MaxAttempts == r.MaxAttempts &&
		reflect.DeepEqual(named(want.Selection).Values(), r.Selection.Values())
}

type steering struct {
	action event.Action
	rate   float64
}

func (s *server) change(ctx context.Context, in *struct {
	ReplayPath
	Body ReplayPatch
}) (*replayOutput, error) {
	var list []steering
	if in.Body.Rate != nil {
		list = append(list, steering{event.ActionRate, *in.Body.Rate})
	}
	switch in.Body.State {
	case event.ReplayPaused:
		list = append(list, steering{event.ActionPause, 0})
	case event.ReplayRunning:
		list = append(list, steering{event.ActionResume, 0})
	}
	if len(list) == 0 {
		return nil, problem(http.StatusUnprocessableEntity, "give a state (paused, running), a rate, or both")
	}
	return s.steer(ctx, in.uuid(), list...)
}

func (s *server) steer(ctx context.Context, id uuid.UUID, list ...steering) (*replayOutput, error) {
	d := s.as(ctx)
	r, err := d.Replay(ctx, id)
	for _, wanted := range list {
		if err == nil {
			err = d.Steer(ctx, id, wanted.action, wanted.rate)
		}
	}
	return &replayOutput{r}, err
}
