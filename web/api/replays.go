package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

// Plan describes the effect of a replay before it is created.
type Plan struct {
	replay.Plan
	Samples []Event `json:"samples" doc:"The first few events, in order of arrival."`
}

// Plan computes the effect of a replay without creating it.
func (d *Direct) Plan(ctx context.Context, want replay.Request) (Plan, error) {
	if err := d.checkRequest(ctx, &want); err != nil {
		return Plan{}, err
	}
	p, err := d.service.Plan(ctx, d.actor, want)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Plan: p, Samples: briefEvents(p.Heads)}
	plan.Endpoint = replay.TargetName(plan.Endpoint)
	plan.Parts = append([]store.PlanPart{}, plan.Parts...) // none is an empty list
	return plan, nil
}

// checkRequest completes a request that repeats a replay, checks it against the role of the principal, and replaces
// endpoints by their names.
func (d *Direct) checkRequest(ctx context.Context, want *replay.Request) error {
	if err := d.require(RoleReplay); err != nil {
		return err
	}
	if err := d.service.Repeat(ctx, want); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return notFound("replay", want.Again)
		}
		return err
	}
	if want.IncludeRejected && d.require(RoleAdmin) != nil {
		return Problemf(http.StatusForbidden, "include_rejected needs the role %s; the token %q has the role %s",
			RoleAdmin, d.principal.Name, d.principal.Role)
	}
	err := d.checkSelection(want.Selection)
	want.Selection = withNames(want.Selection)
	return err
}

// Create creates a replay, which then runs. Another call with the same key returns the replay of the first call, unless
// the key is empty. Create returns replay.ErrNothing when there is nothing to send.
func (d *Direct) Create(ctx context.Context, key string, want replay.Request) (event.Replay, error) {
	if err := d.checkRequest(ctx, &want); err != nil {
		return event.Replay{}, err
	}
	r, err := d.service.Create(ctx, d.actor, key, want)
	if err != nil {
		return event.Replay{}, err
	}
	return shown(r), nil
}

// Replays lists replays, newest first: those created before the given one unless it is uuid.Nil, in one of the states
// if there are any.
func (d *Direct) Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay,
	error) {
	replays, err := d.store.Replays(ctx, before, limit, states...)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("replay", before)
	}
	if err == nil {
		err = d.service.WaitingReplays(ctx, replays)
	}
	list := make([]event.Replay, len(replays))
	for i, r := range replays {
		list[i] = shown(r)
		list[i] = shortened(list[i])
	}
	return list, err
}

// Replay returns a replay with its counts.
func (d *Direct) Replay(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	r, err := d.store.Replay(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, notFound("replay", id)
	}
	if err != nil {
		return r, err
	}
	one := []event.Replay{r}
	err = d.service.WaitingReplays(ctx, one)
	return shown(one[0]), err
}

// shown returns a replay without secrets. One that no process has counted yet has all its deliveries pending.
func shown(r event.Replay) event.Replay {
	if len(r.Counts) == 0 && r.Total > 0 {
		r.Counts = map[event.DeliveryState]uint64{event.Pending: r.Total}
	}
	return masked(r)
}

// Steer pauses, resumes or cancels a replay, or changes its rate (perSecond). The delivering process follows within a
// second. reason is for people, and may be empty.
func (d *Direct) Steer(ctx context.Context, id uuid.UUID, action event.Action, perSecond float64, reason string) error {
	if err := d.require(RoleReplay); err != nil {
		return err
	}
	err := d.service.Steer(ctx, d.actor, id, action, perSecond, reason)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("replay", id)
	}
	return err
}

// NewReplay is a request to create or plan a replay.
type NewReplay struct {
	replay.Request
	DryRun bool `json:"dry_run,omitempty" doc:"Only return the plan; send nothing."`
}

// ReplayList is a list of replays.
type ReplayList struct {
	Replays []event.Replay `json:"replays" doc:"The newest first."`
}

// ReplayPatch is a change of a replay.
type ReplayPatch struct {
	State  event.ReplayState `json:"state,omitempty" enum:"paused,running" doc:"paused: send nothing until it is resumed. running: resume."`
	Reason string            `json:"reason,omitempty" maxLength:"500" doc:"Why it is paused, for people."`
	Rate   *float64          `json:"rate,omitempty" minimum:"0" doc:"The most requests a second from now on; 0 sends as fast as the endpoint answers."`
}

// ReplayPath has the id of a replay.
type ReplayPath struct {
	ID string `path:"id" maxLength:"36" doc:"The replay's id, a unique beginning of it, or last."`
}

type createInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Your name for this request: repeating it with the same name returns the replay that it created."`
	Body NewReplay
}

// createOutput contains an event.Replay if one was created, else a Plan.
type createOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

type replaysInput struct {
	Limit  int                 `query:"limit" default:"20" minimum:"1" maximum:"1000" doc:"The most replays."`
	Before string              `query:"before" maxLength:"36" doc:"Only replays created before this one: the last one of the previous page."`
	State  []event.ReplayState `query:"state,explode" doc:"In one of these states."`
}

type patchInput struct {
	ReplayPath
	Body ReplayPatch
}

func (s *server) replayRoutes() {
	route(s, RoleReplay, "POST /replays", huma.Operation{OperationID: "create-replay",
		MaxBodyBytes: maxBodyBytes, DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
		Summary: "Create a replay, or plan one",
		Description: "The selection is frozen: events stored later are not added. 201 returns the running replay. " +
			"200 returns a plan and means that nothing was created: " +
			"because of dry_run, or because there is nothing to send (count is 0).",
		Responses: map[string]*huma.Response{
			"200": {Description: "Nothing was created; the plan", Content: s.json(Plan{})},
			"201": {Description: "The running replay", Content: s.json(event.Replay{}), Headers: map[string]*huma.Param{
				"Location": {Description: "The replay's path.",
					Schema: &huma.Schema{Type: "string", Format: "uri-reference"}}}}}},
		s.create)
	reply(s, RoleRead, "GET /replays", huma.Operation{OperationID: "list-replays",
		Errors:  []int{http.StatusNotFound},
		Summary: "List replays", Description: "Newest first."},
		func(ctx context.Context, in *replaysInput) (ReplayList, error) {
			before := uuid.Nil
			if in.Before != "" {
				id, err := s.find(ctx, event.NamesReplay, "query.before", in.Before)
				if err != nil {
					return ReplayList{}, err
				}
				before = uuid.MustParse(id)
			}
			list, err := s.as(ctx).Replays(ctx, before, in.Limit, in.State...)
			return ReplayList{list}, err
		})
	reply(s, RoleRead, "GET /replays/{id}", huma.Operation{OperationID: "get-replay",
		Errors:      []int{http.StatusNotFound},
		Summary:     "Show a replay",
		Description: "With its counts as of updated_at; a running replay updates them every two seconds."},
		func(ctx context.Context, in *struct {
			ReplayPath
			Recent bool `query:"recent" doc:"Show the replay as it was up to a second ago, with the first 100 ids of its selections."`
		}) (event.Replay, error) {
			id, err := s.inPath(ctx, event.NamesReplay, in.ID)
			if err != nil {
				return event.Replay{}, err
			}
			if in.Recent {
				r, err := s.direct.recent.get(ctx, id)
				return shortened(r), err
			}
			return s.as(ctx).Replay(ctx, id)
		})
	reply(s, RoleReplay, "PATCH /replays/{id}", huma.Operation{OperationID: "change-replay",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
		Summary: "Pause or resume a replay, or change its rate", Description: "Only of an unfinished replay." +
			acceptedLater},
		s.change)
	reply(s, RoleReplay, "POST /replays/{id}/cancel", huma.Operation{OperationID: "cancel-replay",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
		Summary: "Cancel a replay", Description: "Events that are not sent yet never will be; this cannot be undone." +
			acceptedLater},
		func(ctx context.Context, in *ReplayPath) (event.Replay, error) {
			return s.steer(ctx, in.ID, steering{action: event.ActionCancel})
		})
}

// acceptedLater ends the description of an operation that another process carries out.
const acceptedLater = " The delivering process follows within a second; the answer shows the state before."

// json returns the content of an answer of v's type.
func (s *server) json(v any) map[string]*huma.MediaType {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

func (s *server) create(ctx context.Context, in *createInput) (*createOutput, error) {
	want := in.Body.Request
	if !in.Body.DryRun {
		r, err := s.as(ctx).Create(ctx, in.Key, want)
		if err == nil && !mayComeFrom(r, want) {
			return nil, Problemf(http.StatusConflict,
				"this Idempotency-Key was used for another replay (%s); use a new one", r.ID)
		}
		if err == nil {
			return &createOutput{Status: http.StatusCreated, Location: "/api/v1/replays/" + r.ID.String(), Body: r}, nil
		}
		if !errors.Is(err, replay.ErrNothing) {
			return nil, err
		}
	}
	plan, err := s.as(ctx).Plan(ctx, want)
	return &createOutput{Status: http.StatusOK, Body: plan}, err
}

// mayComeFrom reports whether a replay may have been created by a request. The same key with another request is a
// mistake.
func mayComeFrom(r event.Replay, want replay.Request) bool {
	if want.Again != uuid.Nil {
		return want.Rate == r.Rate && (want.To == "" || replay.TargetName(want.To) == r.Endpoint)
	}
	return replay.TargetName(want.To) == r.Endpoint &&
		want.Rate == r.Rate && want.Pace == r.Pace && want.MaxAttempts == r.MaxAttempts &&
		want.IncludeRejected == r.IncludeRejected &&
		reflect.DeepEqual(withNames(want.Selection).Values(), r.Selection.Values())
}

type steering struct {
	action event.Action
	rate   float64
	reason string
}

func (s *server) change(ctx context.Context, in *patchInput) (event.Replay, error) {
	var list []steering
	if in.Body.Rate != nil {
		list = append(list, steering{action: event.ActionRate, rate: *in.Body.Rate})
	}
	switch in.Body.State {
	case event.ReplayPaused:
		list = append(list, steering{action: event.ActionPause, reason: in.Body.Reason})
	case event.ReplayRunning:
		list = append(list, steering{action: event.ActionResume})
	}
	if len(list) == 0 {
		return event.Replay{}, Invalidf("nothing to change: give a state (paused, running), a rate, or both")
	}
	return s.steer(ctx, in.ID, list...)
}

// steer returns the replay as it was before.
func (s *server) steer(ctx context.Context, text string, list ...steering) (event.Replay, error) {
	id, err := s.inPath(ctx, event.NamesReplay, text)
	if err != nil {
		return event.Replay{}, err
	}
	d := s.as(ctx)
	r, err := d.Replay(ctx, id)
	for _, next := range list {
		if err == nil {
			err = d.Steer(ctx, id, next.action, next.rate, next.reason)
		}
	}
	return r, err
}
