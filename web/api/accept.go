package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

// Rejection describes a rejected request.
type Rejection struct {
	Reason   string            `json:"reason" doc:"Why it was rejected, in words."`
	Obstacle string            `json:"obstacle,omitempty" doc:"Why it cannot be accepted after all; absent if it can."`
	Kept     string            `json:"kept,omitempty" doc:"How much of its body is stored, such as 64 KiB of 2.1 MiB; absent if all."`
	Parsed   map[string]string `json:"parsed" doc:"What can be read from its body, under the names of decoded. It is for display only: nothing of it was verified, and no search or figure uses it."`
}

// PersonIn returns the name of the subscriber in the parsed fields of a body, else an id; "" without either.
func PersonIn(parsed map[string]string) string {
	full := strings.TrimSpace(parsed["first_name"] + " " + parsed["last_name"])
	return cmp.Or(parsed["name"], full, parsed["messenger_username"], parsed["bothelp_user_id"],
		parsed["messenger_user_id"])
}

// ContactIn returns the phone number in the parsed fields of a body, else the email address; "" without either.
func ContactIn(parsed map[string]string) string { return cmp.Or(parsed["phone"], parsed["email"]) }

// rejectionOf describes a rejected event, whose headers and body are present.
func rejectionOf(e *event.Event) *Rejection {
	r := &Rejection{Reason: e.Verdict.Reason(), Obstacle: e.Obstacle(), Kept: e.Kept(), Parsed: map[string]string{}}
	if e.Verdict == event.Malformed {
		return r // its body is the start of the request
	}
	decoded := bothelp.Decode(&e.Received)
	r.Parsed = decodedTexts(&decoded)
	return r
}

// rejectionsAtOnce limits the bodies in memory, of 64 KiB at most.
const rejectionsAtOnce = 100

// list returns events without their requests. Rejected ones have a Rejection, and those of a source that forwards have
// what the bot got.
func (d *Direct) list(ctx context.Context, events []event.Event) ([]Event, error) {
	list := briefEvents(events)
	var rejected []uuid.UUID
	place := map[uuid.UUID]int{}
	for i := range events {
		if place[events[i].ID] = i; events[i].Verdict != event.Accepted {
			rejected = append(rejected, events[i].ID)
		}
	}
	for len(rejected) > 0 {
		n := min(len(rejected), rejectionsAtOnce)
		whole, err := d.store.Events(ctx, rejected[:n])
		if err != nil {
			return nil, err
		}
		for i := range whole {
			list[place[whole[i].ID]].Rejection = rejectionOf(&whole[i])
		}
		rejected = rejected[n:]
	}
	return list, d.addForwards(ctx, list)
}

// MaxAccepted is the largest number of events that can be accepted at once.
const MaxAccepted = 500

// AcceptedList says which events were accepted.
type AcceptedList struct {
	Accepted []uuid.UUID `json:"accepted" doc:"The events that were rejected, and are accepted now."`
	Already  []uuid.UUID `json:"already" doc:"The events that had been accepted before; nothing was changed about them."`
}

// Accept accepts rejected requests after all: they get their parsed fields, count in analytics, and can be replayed.
// Live delivery does not send them. Accepting one again changes nothing. Accept returns a [*Problem], and accepts none,
// if one of them does not exist or is not stored as a whole.
func (d *Direct) Accept(ctx context.Context, ids []uuid.UUID) (AcceptedList, error) {
	done := AcceptedList{Accepted: []uuid.UUID{}, Already: []uuid.UUID{}}
	if err := d.require(RoleAdmin); err != nil {
		return done, err
	}
	if len(ids) == 0 || len(ids) > MaxAccepted {
		return done, Invalidf("want between 1 and %d ids of events, not %d", MaxAccepted, len(ids))
	}
	events, err := d.acceptable(ctx, ids)
	if err != nil {
		return done, err
	}
	for i := range events {
		if events[i].Verdict == event.Accepted {
			done.Already = append(done.Already, events[i].ID)
			continue
		}
		if err := d.accept(ctx, &events[i]); err != nil {
			return done, err
		}
		done.Accepted = append(done.Accepted, events[i].ID)
	}
	return done, nil
}

// acceptable returns the events with these ids. It returns a [*Problem] with a fault for each event that does not exist
// or cannot be accepted.
func (d *Direct) acceptable(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	events, err := d.store.Events(ctx, ids)
	if err != nil {
		return nil, err
	}
	var faults []Fault
	found := map[uuid.UUID]bool{}
	for i := range events {
		e := &events[i]
		found[e.ID] = true
		if obstacle := e.Obstacle(); e.Verdict != event.Accepted && obstacle != "" {
			faults = append(faults, Fault{"ids", "event " + e.ID.String() + " cannot be accepted: " + obstacle})
		}
	}
	for _, id := range ids {
		if !found[id] {
			faults = append(faults, Fault{"ids", "there is no event " + id.String()})
		}
	}
	if len(faults) > 0 {
		return nil, Invalidf("").withFaults(faults)
	}
	return events, nil
}

// accept stores the accepted row of a rejected event, after the entry in the audit log.
func (d *Direct) accept(ctx context.Context, e *event.Event) error {
	if err := d.audit(ctx, "event.accept", e.ID.String(), map[string]any{"was": e.Verdict}); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	e.Acceptance = event.Acceptance{By: d.actor.Name, At: now, Was: e.Verdict}
	e.Verdict = event.Accepted
	e.Spool, e.SpoolNumber = "", 0 // live delivery follows these numbers, and is past this one
	var kind event.Kind
	if d.host.Source != nil {
		e.Source, kind = d.host.Source(e.Source)
	}
	bothelp.Read(e, kind)
	if e.EventAt != nil { // BotHelp may have sent the same chat webhook until it was accepted
		originals, err := d.store.Originals(ctx, []event.Event{*e})
		if err != nil {
			return err
		}
		e.DuplicateOf = originals[e.ID]
	}
	_, err := d.store.AcceptEvent(ctx, *e)
	return err
}

// AcceptRequest names rejected requests to accept.
type AcceptRequest struct {
	IDs []uuid.UUID `json:"ids" minItems:"1" maxItems:"500" doc:"The ids of the events."`
}

func (s *server) acceptRoute() {
	reply(s, RoleAdmin, "POST /events/accept", huma.Operation{OperationID: "accept-events",
		MaxBodyBytes: maxBodyBytes, Errors: []int{http.StatusNotFound},
		Summary: "Accept rejected requests after all",
		Description: "For a lead that came with an old token, for example. The events get the verdict accepted, " +
			"with their parsed fields, and are counted like all others from now on. Create a replay to send them. " +
			"Only requests that are stored as a whole can be accepted. " +
			"Accepting one twice changes nothing. The audit log records it."},
		func(ctx context.Context, in *struct{ Body AcceptRequest }) (AcceptedList, error) {
			return s.as(ctx).Accept(ctx, in.Body.IDs)
		})
}
