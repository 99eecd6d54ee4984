package console

import (
	"net/url"
	"regexp"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// waiting is why something waits, as a page shows it, with the button that changes it.
type waiting struct {
	*api.Waiting
	Text   string // with times in the page's zone
	Again  bool   // a row above says the same
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
	shown := &waiting{Waiting: w, Text: v.inZone(w.Text), Next: v.at(w.Until)}
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

// timeInUTC matches a time in a sentence of the API.
var timeInUTC = regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\b`)

// inZone returns a sentence of the API with its times in the page's zone.
func (v *visit) inZone(sentence string) string {
	return timeInUTC.ReplaceAllStringFunc(sentence, func(text string) string {
		at, err := time.Parse("2006-01-02 15:04:05 UTC", text)
		if err != nil {
			return text
		}
		return at.In(v.zone).Format("2006-01-02 15:04:05 -07:00")
	})
}

// openStates are the states of deliveries that wait.
var openStates = []string{string(event.Pending), string(event.Delivering), string(event.Retrying),
	string(event.Unknown)}
