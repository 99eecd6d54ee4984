package console

import (
	"hooktape/internal/event"
)

// progress is how far a replay is, as the page asks for it each second.
type progress struct {
	event.Replay
	Shares  []share
	Done    string // in percent
	Left    string // time; empty when nobody can tell
	Errors  []failure
	Moving  bool // there may be more to come
	Changed bool // the state is another one than the page shows
	Steers  bool // the visitor may steer
}

// share is a part of a replay's deliveries, as a piece of the bar.
type share struct {
	State    event.DeliveryState
	Count    uint64
	X, Width float64 // of 100
}

// settledFirst is the order of the pieces.
var settledFirst = []event.DeliveryState{event.Delivered, event.Failed, event.Cancelled, event.Unknown, event.Retrying, event.Delivering, event.Pending}

func sharesOf(r event.Replay) (list []share) {
	x := 0.0
	for _, state := range settledFirst {
		if n := r.Counts[state]; n > 0 && r.Total > 0 {
			width := 100 * float64(n) / float64(r.Total)
			list = append(list, share{state, n, x, width})
			x += width
		}
	}
	return list
}

// maxErrors is how many of the last errors a replay shows.
const maxErrors = 5

func (v *visit) progress(r event.Replay) (p progress, err error) {
	p = progress{Replay: r, Shares: sharesOf(r), Moving: !r.State.Final() || r.Open() > 0 && v.now.Sub(r.UpdatedAt).Minutes() < 1}
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

// showProgress answers with what moves; the buttons come along only when they are others than before, so that who is
// about to press one does not lose it each second.
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
		return v.see("/replays/" + id.String())
	}
	p.Changed = v.URL.Query().Get("state") != string(r.State)
	p.Steers = v.who.Role.Covers("replay")
	return v.part("replay", "progress", p)
}
