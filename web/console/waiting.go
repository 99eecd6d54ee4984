package console

import (
	"net/url"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// waiting is why something waits, as a page shows it, with the button that changes it.
type waiting struct {
	*api.Waiting
	Again  bool // a row above says the same
	Next   moment
	Button string // empty if nothing can be done, or if the user may not do it
	Action string
	Form   url.Values
}

// waits returns nil for nil. The button is for an endpoint, a replay of it, or one of the replay's deliveries; live
// delivery has no replay.
func (v *visit) waits(w *api.Waiting, endpoint string, replayID uuid.UUID, deliveryID string) *waiting {
	if w == nil {
		return nil
	}
	shown := &waiting{Waiting: w, Next: v.at(w.Until)}
	if w.Action == "" || !v.user.Role.Covers(api.RoleReplay) {
		return shown
	}
	switch {
	case w.Code == event.WaitsReplay:
		shown.Button, shown.Action = "Resume", "/replays/"+replayID.String()+"/resume"
	case w.Code == event.WaitsEndpoint:
		shown.Button, shown.Action = "Resume", "/endpoints/"+url.PathEscape(endpoint)+"/resume"
	case deliveryID != "":
		shown.Button, shown.Action, shown.Form = "Retry now", "/deliveries/retry", url.Values{"id": {deliveryID}}
	case replayID != uuid.Nil:
		shown.Button, shown.Action = "Retry now", "/deliveries/retry"
		shown.Form = url.Values{"matching": {"1"},
			"query": {url.Values{"replay": {replayID.String()}, "state": openStates}.Encode()}}
	default:
		shown.Button, shown.Action = "Retry now", "/endpoints/"+url.PathEscape(endpoint)+"/resume"
	}
	return shown
}

// openStates are the states of deliveries that wait.
var openStates = []string{string(event.Pending), string(event.Delivering), string(event.Retrying),
	string(event.Unknown)}
