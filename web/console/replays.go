package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

func (c *console) replaysRoutes(mux *http.ServeMux) {
	mux.Handle("GET /replays", c.page(showReplays))
	mux.Handle("POST /replays", c.page(createReplay))
	mux.Handle("GET /replays/{id}", c.page(showReplay))
	mux.Handle("GET /replays/{id}/progress", c.page(showProgress))
	mux.Handle("POST /replays/{id}/{action}", c.page(steerReplay))
}

// maxReplays is how many replays are on a page.
const maxReplays = 100

type replaysPage struct {
	New      *newReplay
	Replays  []replayRow
	MayMake  bool
	Selected bool   // a selection came, which only others may replay
	Older    string // the next page
}

type replayRow struct {
	event.Replay
	Created moment
	Shares  []share
}

// selects tells whether the page was asked for with a selection to replay.
func (v *visit) selects() bool { return v.URL.RawQuery != "" && !v.URL.Query().Has("before") }

func showReplays(v *visit) error {
	made, err := v.newReplay()
	if err != nil {
		return err
	}
	var before uuid.UUID
	if text := v.URL.Query().Get("before"); text != "" {
		if before, err = replayID(text); err != nil {
			return err
		}
	}
	list, err := v.direct.Replays(v.Context(), before, maxReplays+1)
	if err != nil {
		return err
	}
	p := replaysPage{New: made, MayMake: v.who.Role.Covers(api.RoleReplay)}
	p.Selected = v.selects() && !p.MayMake
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
	Selected string // the selected events in the list
	Again    string // the same once more
	Failed   string // what was given up, in the list
	Against  string // whose answers these are compared with
	Diff     *diff
	MaySteer bool
}

// GivenUp tells whether some deliveries failed for good.
func (p replayPage) GivenUp() bool { return p.Counts[event.Failed] > 0 }

type diff struct {
	api.Diff
	Rows []diffRow
	Most int // rows that are shown; zero when these are all
}

type diffRow struct {
	EventID     uuid.UUID
	Differs     []string
	Here, There *attempt
}

func replayID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, notFound("%q is no id of a replay", text)
	}
	return id, nil
}

func showReplay(v *visit) error {
	id, err := replayID(v.PathValue("id"))
	if err != nil {
		return err
	}
	r, err := v.direct.Replay(v.Context(), id)
	if err != nil {
		return err
	}
	p := replayPage{Replay: r, Created: v.at(r.CreatedAt), MaySteer: v.who.Role.Covers(api.RoleReplay), Against: v.URL.Query().Get("against")}
	if p.Progress, err = v.progress(r); err != nil {
		return err
	}
	values := r.Selection.Values()
	p.Chips, p.Selected = v.chips(filters{Values: values, Selection: r.Selection}, ""), link("/", values)
	again := r.Selection.Values()
	again.Set("endpoint", r.Endpoint)
	p.Again = link("/replays", again)
	p.Failed = link("/", withFailed(values, r.Endpoint))
	if v.URL.Query().Has("compare") {
		if p.Diff, err = v.diff(id, p.Against); err != nil {
			return err
		}
	}
	return v.show("replay", "Replay to "+r.Endpoint, p)
}

func withFailed(values url.Values, endpoint string) url.Values {
	failed := filters{Values: values}.without()
	failed.Set("failed_at", endpoint)
	return failed
}

// maxDiffs is how many different answers are shown.
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
		shown := diffRow{EventID: r.EventID, Differs: r.Differs}
		if r.Here != nil {
			here := v.attempt(*r.Here)
			shown.Here = &here
		}
		if r.There != nil {
			there := v.attempt(*r.There)
			shown.There = &there
		}
		d.Rows = append(d.Rows, shown)
	}
	return d, nil
}

func steerReplay(v *visit) error {
	id, err := replayID(v.PathValue("id"))
	if err != nil {
		return err
	}
	action, rate := event.Action(v.PathValue("action")), 0.0
	switch action {
	case event.ActionPause, event.ActionResume, event.ActionCancel:
	case event.ActionRate:
		if rate, err = strconv.ParseFloat(v.PostFormValue("rate"), 64); err != nil || !(rate >= 0 && rate <= 1e6) {
			return problem(http.StatusUnprocessableEntity, "the rate is %q, which is no number between 0 and a million", v.PostFormValue("rate"))
		}
	default:
		return notFound("a replay can be paused, resumed, cancelled, and its rate be set; %q is none of that", action)
	}
	if err := v.direct.Steer(v.Context(), id, action, rate); err != nil {
		return err
	}
	return v.see("/replays/" + id.String())
}
