package console

import (
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// progress is the progress of a replay. The page asks for it every second.
type progress struct {
	event.Replay
	Shares  []share
	Done    string // in percent
	Left    string // the remaining time; empty if unknown
	Errors  []failure
	Moving  bool // it may still change
	Changed bool // the page shows an older state
	Steers  bool // the user may control it
}

// share is the part of a replay's deliveries in one state. X and Width are its bar, of 100.
type share struct {
	State    event.DeliveryState
	Count    uint64
	X, Width float64
}

// shareOrder has the final states first.
var shareOrder = []event.DeliveryState{event.Delivered, event.Failed, event.Cancelled,
	event.Unknown, event.Retrying, event.Delivering, event.Pending}

func sharesOf(r event.Replay) (list []share) {
	x := 0.0
	for _, state := range shareOrder {
		if n := r.Counts[state]; n > 0 && r.Total > 0 {
			width := 100 * float64(n) / float64(r.Total)
			list = append(list, share{state, n, x, width})
			x += width
		}
	}
	return list
}

// maxErrors limits the last errors on the page of a replay.
const maxErrors = 5

func (v *visit) progress(r event.Replay) (p progress, err error) {
	p = progress{Replay: r, Shares: sharesOf(r)}
	p.Moving = !r.State.Final() || r.Open() > 0 && v.now.Sub(r.UpdatedAt) < time.Minute
	if r.Total > 0 {
		p.Done = percent(float64(r.Total-r.Open()) / float64(r.Total))
	}
	if r.PerSecond > 0 && r.State == event.ReplayRunning {
		p.Left = span(milliseconds(float64(r.Open()) / r.PerSecond * 1000))
	}
	failed, err := v.direct.ReplayFailures(v.Context(), r, maxErrors)
	p.Errors = v.failures(failed)
	return p, err
}

// showProgress answers with the part of the page that changes. It contains the buttons only if they change, because a
// button that is replaced every second cannot be pressed.
func showProgress(v *visit) error {
	id, err := replayID(v.PathValue("id"))
	if err != nil {
		return err
	}
	r, err := v.direct.Replay(v.Context(), id)
	if err != nil {
		return err
	}
	p, err := v.progress(r)
	if err != nil {
		return err
	}
	if !v.partial() {
		return v.redirect("/replays/" + id.String())
	}
	p.Changed = v.URL.Query().Get("state") != string(r.State)
	p.Steers = v.user.Role.Covers(api.RoleReplay)
	return v.part("replay", "progress", p)
}
