package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// acceptPage shows rejected requests, and asks for the consent to accept them.
type acceptPage struct {
	Rows      []row
	Possible  uint64 // how many of them can be accepted
	Most      int    // the number of rows, if there may be more; else 0
	Endpoints []choice
	Key       string // the Idempotency-Key of the replay: sending the form twice creates one
}

func showAccept(v *visit) error {
	if err := v.user.Require(api.RoleAdmin); err != nil {
		return err
	}
	query := v.URL.Query()
	query.Set("rejected", "true")
	f, err := v.filtersOf(query)
	if err != nil {
		return err
	}
	found, err := v.direct.Events(v.Context(), f.Selection, api.MaxAccepted, "")
	if err != nil {
		return err
	}
	if len(found.Events) == 0 {
		return api.Problemf(http.StatusNotFound, "there is nothing to accept: none of these events is rejected")
	}
	p := acceptPage{Key: rand.Text()}
	if found.Next != "" {
		p.Most = len(found.Events)
	}
	if p.Rows, err = v.rows(found.Events, nil); err != nil {
		return err
	}
	for _, r := range p.Rows {
		if r.Rejection.Obstacle == "" {
			p.Possible++
		}
	}
	if p.Endpoints, err = v.acceptTargets(); err != nil {
		return err
	}
	return v.show("accept", "Accept rejected requests", p)
}

// acceptTargets returns the endpoints to which accepted events can be sent. The first one with live delivery is chosen:
// it lacks these events.
func (v *visit) acceptTargets() ([]choice, error) {
	endpoints, err := v.direct.Endpoints(v.Context())
	list, live := []choice{{"", "nowhere", false}}, false
	for _, e := range endpoints {
		list = append(list, choice{e.Name, e.Name, e.Subscribed && !live})
		live = live || e.Subscribed
	}
	return list, err
}

// accept accepts the chosen requests, and sends them to the chosen endpoint unless it got them already.
func accept(v *visit) error {
	var ids []uuid.UUID
	for _, text := range v.PostForm["id"] {
		id, err := v.uuidOf(event.NamesEvent, text)
		if err != nil {
			return err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return api.Invalidf("no request is chosen")
	}
	if _, err := v.direct.Accept(v.Context(), ids); err != nil {
		return err
	}
	done := link("/", url.Values{"id": v.PostForm["id"]})
	if len(ids) == 1 {
		done = "/events/" + ids[0].String()
	}
	if to := v.PostFormValue("to"); to != "" {
		created, err := v.direct.Create(v.Context(), v.PostFormValue("key"),
			replay.Request{To: to, Selection: event.Selection{IDs: ids}})
		if err == nil {
			done = "/replays/" + created.ID.String()
		} else if !errors.Is(err, replay.ErrNothing) {
			return err
		}
	}
	return v.redirect(done)
}
