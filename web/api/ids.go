package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// Paths and query parameters of the API, addresses of the console, and the command line name an event, a delivery or a
// replay by its id, by a unique beginning of the id, or by last. Bodies have whole ids.
const (
	// LastID names the newest event, delivery or replay.
	LastID = "last"
	// NamesRejected is the kind of events that were rejected, for which last is the newest rejected one.
	NamesRejected event.Named = "rejected"

	shortestID    = 8   // characters; of an id they have the time to a minute
	maxCandidates = 5   // that an error about an ambiguous beginning lists
	maxShortIDs   = 100 // in one request: each takes a query
)

var idBeginning = regexp.MustCompile(`^[0-9a-f]{8}[0-9a-f-]{0,36}$`)

// WholeID returns the id, in lower case, of the object that a text names: by its id, by a unique beginning of it, or by
// [LastID]. It does not check that an object with a whole id exists. It returns a [*Problem] with the status 404 if
// there is no object with such an id, and with 422 for an invalid text or an ambiguous beginning.
func (d *Direct) WholeID(ctx context.Context, kind event.Named, text string) (string, error) {
	text = strings.ToLower(text)
	if event.IsID(kind, text) {
		return text, nil
	}
	noun := string(kind)
	if kind == NamesRejected {
		noun = "rejected event"
	}
	switch {
	case text == LastID:
		id, err := d.newestID(ctx, kind)
		if err == nil && id == "" {
			err = Problemf(http.StatusNotFound, "there is no %s yet", noun)
		}
		return id, err
	case !idBeginning.MatchString(text):
		return "", Invalidf("invalid %s id %.60q: want an id, at least its first %d characters, or %s", noun, text,
			shortestID, LastID)
	}
	ids, err := d.idsFrom(ctx, kind, text, maxCandidates+1)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", Problemf(http.StatusNotFound, "no %s has an id that begins with %q", noun, text)
	case len(ids) == 1:
		return ids[0], nil
	}
	list := strings.Join(ids[:min(len(ids), maxCandidates)], ", ")
	if len(ids) > maxCandidates {
		list += ", …"
	}
	return "", Invalidf("more than one %s has an id that begins with %q: %s", noun, text, list)
}

// newestID returns the id of the newest object of a kind; "" if there is none.
func (d *Direct) newestID(ctx context.Context, kind event.Named) (id string, err error) {
	switch kind {
	case event.NamesReplay:
		newest, err := d.store.Replays(ctx, uuid.Nil, 1)
		for _, r := range newest {
			id = r.ID.String()
		}
		return id, err
	case event.NamesDelivery:
		newest, _, err := d.store.ListDeliveries(ctx, event.DeliverySelection{}, store.DeliveryPage{Limit: 1},
			requestTimeout)
		for _, one := range newest {
			id = one.ID().String()
		}
		return id, err
	}
	newest, err := d.store.ListEvents(ctx, event.Selection{Rejected: kind == NamesRejected}, store.Page{Limit: 1})
	for _, e := range newest {
		id = e.ID.String()
	}
	return id, err
}

// idsFrom returns at most limit ids that begin with a text.
func (d *Direct) idsFrom(ctx context.Context, kind event.Named, beginning string, limit int) ([]string, error) {
	if kind == event.NamesReplay {
		return d.store.ReplayIDs(ctx, beginning, limit)
	}
	from, until, ok := event.PrefixRange(beginning)
	switch {
	case !ok:
		return nil, nil
	case kind == event.NamesDelivery:
		return d.store.DeliveryIDs(ctx, event.DeliverySelection{From: &from, Until: &until}, beginning, limit)
	}
	return d.store.EventIDs(ctx, event.Selection{From: &from, Until: &until, Rejected: kind == NamesRejected},
		beginning, limit)
}

// WholeIDs replaces the ids among the values of filters by whole ones, each once. find returns the whole id of one that
// is not: see [Direct.WholeID]. Faults are those of the filters; err is any other error.
func WholeIDs(ctx context.Context, filters []event.Filter, values url.Values,
	find func(context.Context, event.Named, string) (string, error)) (faults []event.SelectionFault, err error) {
	short := 0
	for _, f := range filters {
		if !f.HasIDs() || values[f.Name] == nil {
			continue
		}
		values[f.Name] = unique(values[f.Name])
		for _, id := range values[f.Name] {
			if f.IsShort(id) {
				short++
			}
		}
		if short > maxShortIDs {
			return []event.SelectionFault{{Name: f.Name,
				Message: fmt.Sprintf("more than %d ids are not whole", maxShortIDs)}}, nil
		}
	}
	for _, f := range filters {
		ids := values[f.Name]
		if !f.HasIDs() || ids == nil {
			continue
		}
		for i, id := range ids {
			if f.IsShort(id) {
				ids[i], err = find(ctx, kindIn(values, f), id)
			}
			switch p, ok := errors.AsType[*Problem](err); {
			case ok && (p.Status == http.StatusNotFound || p.Status == http.StatusUnprocessableEntity):
				return []event.SelectionFault{{Name: f.Name, Message: p.Detail}}, nil
			case err != nil:
				return nil, err
			}
		}
		values[f.Name] = unique(ids)
	}
	return nil, nil
}

// kindIn returns the kind of objects that a filter names. With rejected, last is the newest rejected event.
func kindIn(values url.Values, f event.Filter) event.Named {
	if rejected, _ := strconv.ParseBool(values.Get("rejected")); rejected && f.Names == event.NamesEvent {
		return NamesRejected
	}
	return f.Names
}

// unique returns ids in lower case, each once.
func unique(texts []string) (ids []string) {
	seen := map[string]bool{}
	for _, text := range texts {
		if id := strings.ToLower(text); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// FoundID is the whole id of an object.
type FoundID struct {
	ID string `json:"id" doc:"The whole id."`
}

// find returns the id of the object that a text at a place of the request names: see [Direct.WholeID].
func (s *server) find(ctx context.Context, kind event.Named, place, text string) (string, error) {
	id, err := s.as(ctx).WholeID(ctx, kind, text)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusUnprocessableEntity {
		return "", p.withFaults([]Fault{{place, p.Detail}})
	}
	return id, err
}

// inPath is find for the event or replay in the path.
func (s *server) inPath(ctx context.Context, kind event.Named, text string) (uuid.UUID, error) {
	whole, err := s.find(ctx, kind, "path.id", text)
	id, _ := uuid.Parse(whole) // empty, or whole
	return id, err
}

func (s *server) idRoute() {
	reply(s, RoleRead, "GET /ids/{kind}/{id}", huma.Operation{OperationID: "find-id",
		Errors:  []int{http.StatusNotFound},
		Summary: "Find a whole id",
		Description: "Every path and query parameter that takes an id also takes a unique beginning of it, or last. " +
			"Bodies take whole ids only, and so should requests about the same object: what has this beginning, or " +
			"is the last, may change. A beginning that several ids have is refused with some of them."},
		func(ctx context.Context, in *struct {
			Kind event.Named `path:"kind" enum:"event,rejected,delivery,replay" doc:"Of what it is the id. rejected: of an event that was rejected."`
			ID   string      `path:"id" maxLength:"45" doc:"The id, a unique beginning of it (8 characters or more), or last for the newest."`
		}) (FoundID, error) {
			id, err := s.find(ctx, in.Kind, "path.id", in.ID)
			return FoundID{id}, err
		})
}
