package console

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// maxReplays is the number of replays on a page. Tests lower it.
var maxReplays = 100

type replaysPage struct {
	New       *newReplay
	Replays   []replayRow
	MayCreate bool
	Selected  bool   // the address has a selection, which this user may not replay
	Older     string // the address of the next page
}

type replayRow struct {
	event.Replay
	Created moment
	Shares  []share
}

// selects reports whether the address has a selection to replay.
func (v *visit) selects() bool { return v.URL.RawQuery != "" && !v.URL.Query().Has("before") }

func showReplays(v *visit) error {
	planned, err := v.newReplay()
	if err != nil {
		return err
	}
	var before uuid.UUID
	if text := v.URL.Query().Get("before"); text != "" {
		if before, err = v.uuidOf(event.NamesReplay, text); err != nil {
			return err
		}
	}
	list, err := v.direct.Replays(v.Context(), before, maxReplays+1)
	if err != nil {
		return err
	}
	p := replaysPage{New: planned, MayCreate: v.user.Role.Covers(api.RoleReplay)}
	p.Selected = v.selects() && !p.MayCreate
	if len(list) > maxReplays {
		list = list[:maxReplays]
		p.Older = "/replays?before=" + list[maxReplays-1].ID.String()
	}
	for _, r := range list {
		p.Replays = append(p.Replays, replayRow{r, v.at(r.CreatedAt), sharesOf(r)})
	}
	return v.show("replays", "Replays", p)
}

type replayPage struct {
	event.Replay
	Progress progress
	Created  moment
	Chips    []chip
	Again    string // the address of the same replay as a plan
	Against  string // the endpoint to compare with
	Diff     *diff
	List     deliveryList
	MaySteer bool
}

// HasParent reports whether it sends the failures of another replay.
func (p replayPage) HasParent() bool { return p.Parent != uuid.Nil }

type diff struct {
	api.Diff
	Rows []diffRow
	Most int // the number of rows, if there may be more; else 0
}

type diffRow struct {
	EventID     uuid.UUID
	Differs     []string
	Here, There *attempt
}

func (v *visit) replayID() (uuid.UUID, error) { return v.uuidOf(event.NamesReplay, v.PathValue("id")) }

func showReplay(v *visit) error {
	if tidied := v.tidiedDeliveries(); tidied != nil {
		return v.redirect(link(v.URL.Path, tidied))
	}
	id, err := v.replayID()
	if err != nil {
		return err
	}
	if id.String() != v.PathValue("id") { // an address to share has the whole id
		return v.redirect(link("/replays/"+id.String(), v.URL.Query()))
	}
	r, err := v.direct.Replay(v.Context(), id)
	if err != nil {
		return err
	}
	p := replayPage{Replay: r, Created: v.at(r.CreatedAt), MaySteer: v.user.Role.Covers(api.RoleReplay),
		Against: v.URL.Query().Get("against")}
	p.Progress = v.progress(r)
	p.Chips = v.chips(filters{Values: r.Selection.Values(), Selection: r.Selection}, "")
	p.Again = link("/replays", url.Values{"again": {id.String()}})
	if p.List, err = v.deliveryList(url.Values{"replay": {id.String()}}, "compare", "against"); err != nil {
		return err
	}
	if v.URL.Query().Has("compare") {
		if p.Diff, err = v.diff(id, p.Against); err != nil {
			return err
		}
	}
	return v.show("replay", "Replay to "+r.Endpoint, p)
}

// maxDiffs limits the different answers on a page.
const maxDiffs = 20

func (v *visit) diff(id uuid.UUID, against string) (*diff, error) {
	found, err := v.direct.Diff(v.Context(), id, against, maxDiffs)
	if err != nil {
		return nil, err
	}
	d := &diff{Diff: found}
	if len(found.Rows) == maxDiffs {
		d.Most = maxDiffs
	}
	for _, r := range found.Rows {
		d.Rows = append(d.Rows, diffRow{r.EventID, r.Differs, v.attemptOr(r.Here), v.attemptOr(r.There)})
	}
	return d, nil
}

// attemptOr returns nil for nil.
func (v *visit) attemptOr(a *api.Attempt) *attempt {
	if a == nil {
		return nil
	}
	return new(v.attempt(*a))
}

func steerReplay(v *visit) error {
	id, err := v.replayID()
	if err != nil {
		return err
	}
	action, rate := event.Action(v.PathValue("action")), 0.0
	switch action {
	case event.ActionPause, event.ActionResume, event.ActionCancel:
	case event.ActionRate:
		if rate, err = parseNumber("rate", v.PostFormValue("rate")); err != nil {
			return err
		}
	default:
		return api.Problemf(http.StatusNotFound, "unknown action %q: want pause, resume, cancel or set-rate", action)
	}
	if err := v.direct.Steer(v.Context(), id, action, rate, v.PostFormValue("reason")); err != nil {
		return err
	}
	return v.redirect("/replays/" + id.String())
}
