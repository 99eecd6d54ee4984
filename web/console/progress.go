package console

import (
	"time"

	"hooktape/internal/event"
)

// progress is the progress of a replay. The page asks for it every second.
type progress struct {
	event.Replay
	Shares []share
	Left   string // the remaining time; empty if unknown
	Moving bool   // it may still change
	Waits  *waiting
}

// Done says how far it is.
func (p progress) Done() string {
	return number(p.Counts[event.Delivered]) + " of " + number(p.Total) + " delivered"
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

func (v *visit) progress(r event.Replay) progress {
	p := progress{Replay: r, Shares: sharesOf(r), Waits: v.waits(r.Waiting, r.Endpoint, r.ID, "")}
	p.Moving = !r.State.Final() || r.Open() > 0 && v.now.Sub(r.UpdatedAt) < time.Minute
	if r.PerSecond > 0 && r.State == event.ReplayRunning {
		p.Left = span(milliseconds(float64(r.Open()) / r.PerSecond * 1000))
	}
	return p
}

// showProgress answers with the part of the page that changes. When the replay's state has changed, htmx loads the
// whole page, whose buttons and list depend on it.
func showProgress(v *visit) error {
	id, err := v.replayID()
	if err != nil {
		return err
	}
	r, err := v.direct.Replay(v.Context(), id)
	if err != nil {
		return err
	}
	if !v.partial() {
		return v.redirect("/replays/" + id.String())
	}
	p := v.progress(r)
	if !p.Moving || v.URL.Query().Get("state") != string(r.State) {
		v.w.Header().Set("HX-Refresh", "true")
	}
	return v.part("replay", "progress", p)
}
