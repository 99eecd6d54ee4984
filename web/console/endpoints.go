package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// steerEndpoint pauses or resumes an endpoint, or sends it a test request.
func steerEndpoint(v *visit) error {
	name, action := v.PathValue("name"), event.Action(v.PathValue("action"))
	switch action {
	case "test":
		return testEndpoint(v)
	case event.ActionPause, event.ActionResume:
		if err := v.direct.SteerEndpoint(v.Context(), name, action, v.PostFormValue("reason")); err != nil {
			return err
		}
		return v.redirect(link("/endpoints", url.Values{"done": {string(action)}, "name": {name}}))
	}
	return api.Problemf(http.StatusNotFound, "unknown action %q: want pause, resume or test", action)
}

type endpointsPage struct {
	Endpoints []endpointCard
	Said      string // the last action of the user
}

type endpointCard struct {
	api.Endpoint
	Stats       api.EndpointStats
	Rate        string // the share of successful attempts
	RateTone    string
	Waits       *waiting
	Open        uint64 // live deliveries without a final state
	OpenReplays uint64 // deliveries of unfinished replays without a final state
	Failed      uint64
	Oldest      moment // the time of receipt of the oldest open event
	Probe       moment // the next attempt at a failing endpoint
	Failing     []failingForward
	Error       *lastError
	Tested      *attempt
	MaySteer    bool
}

// failingForward is a source whose External Requests the endpoint does not answer.
type failingForward struct {
	event.ForwardState
	Since moment
}

// maxDeliveriesOfEvent bounds the deliveries among which one is sought that resolves an error.
const maxDeliveriesOfEvent = 100

// lastError is the last failed attempt at an endpoint.
type lastError struct {
	attempt
	EventID  uuid.UUID
	Resolved moment // when its event was delivered; zero if it was not
}

func showEndpoints(v *visit) error {
	p, err := v.endpointsPage()
	if err != nil {
		return err
	}
	name := v.URL.Query().Get("name")
	if slices.ContainsFunc(p.Endpoints, func(e endpointCard) bool { return e.Name == name }) {
		switch v.URL.Query().Get("done") {
		case "pause":
			p.Said = name +
				" is being paused. Nothing is sent to it, live or in a replay, until it is resumed; its deliveries " +
				"wait."
		case "resume":
			p.Said = name + " is being resumed. The next attempt is made within a second."
		}
	}
	return v.show("endpoints", "Endpoints", p)
}

// endpointPage is an endpoint with its deliveries.
type endpointPage struct {
	Card endpointCard
	List deliveryList
}

func showEndpoint(v *visit) error {
	if tidied := v.tidiedDeliveries(); tidied != nil {
		return v.redirect(link(v.URL.EscapedPath(), tidied))
	}
	name := v.PathValue("name")
	var p endpointPage
	var group errgroup.Group
	var missing error // the answer, although the list refuses an endpoint that nobody knows, perhaps earlier
	group.Go(func() error {
		cards, err := v.endpointCards(name)
		if err == nil && len(cards) == 0 {
			missing = api.Problemf(http.StatusNotFound, "there is no endpoint %q in the configuration", name)
		}
		for _, card := range cards {
			p.Card = card
		}
		return err
	})
	group.Go(func() (err error) {
		p.List, err = v.deliveryList(url.Values{"endpoint": {name}})
		return err
	})
	err := group.Wait()
	if missing != nil {
		return missing
	}
	if err != nil {
		return err
	}
	return v.show("endpoint", name, p)
}

func testEndpoint(v *visit) error {
	name := v.PathValue("name")
	a, err := v.direct.TestEndpoint(v.Context(), name)
	if err != nil {
		return err
	}
	p, err := v.endpointsPage()
	if err != nil {
		return err
	}
	for i := range p.Endpoints {
		if p.Endpoints[i].Name == name {
			p.Endpoints[i].Tested = new(v.attempt(a))
		}
	}
	return v.show("endpoints", "Endpoints", p)
}

func (v *visit) endpointsPage() (p endpointsPage, err error) {
	p.Endpoints, err = v.endpointCards()
	return p, err
}

// endpointCards returns the endpoints with one of the names; all, without names.
func (v *visit) endpointCards(names ...string) (cards []endpointCard, err error) {
	list, err := v.direct.Endpoints(v.Context())
	if err != nil {
		return nil, err
	}
	stats, err := v.direct.EndpointStats(v.Context(), v.now.Add(-statsSince))
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if len(names) > 0 && !slices.Contains(names, e.Name) {
			continue
		}
		card, err := v.endpointCard(e, stats)
		if err != nil {
			return nil, err
		}
		cards = append(cards, card)
	}
	return cards, nil
}

func (v *visit) endpointCard(e api.Endpoint, stats []api.EndpointStats) (endpointCard, error) {
	card := endpointCard{Endpoint: e, Rate: "–", MaySteer: v.user.Role.Covers(api.RoleReplay)}
	if i := slices.IndexFunc(stats, func(f api.EndpointStats) bool { return f.Endpoint == e.Name }); i >= 0 {
		card.Stats = stats[i]
		share := float64(card.Stats.Delivered) / float64(card.Stats.Attempts)
		card.Rate, card.RateTone = percent(share), "good"
		switch { // the thresholds of the dashboards
		case share < 0.95:
			card.RateTone = "bad"
		case share < 0.99:
			card.RateTone = "doubt"
		}
	}
	card.Waits = v.waits(e.Waiting, e.Name, uuid.Nil, "")
	card.Open, card.OpenReplays = event.Open(e.Backlog), event.Open(e.Replays)
	card.Failed = e.Backlog[event.Failed]
	card.Oldest = v.at(e.OldestOpen)
	if e.State != "paused" {
		card.Probe = v.at(e.NextProbe)
	}
	for _, f := range e.Forwards {
		if f.Failures > 0 {
			card.Failing = append(card.Failing, failingForward{f, v.at(f.FailingSince)})
		}
	}
	var err error
	card.Error, err = v.lastError(e.Name)
	return card, err
}

// lastError returns the last failed attempt at an endpoint; nil if there is none.
func (v *visit) lastError(endpoint string) (*lastError, error) {
	failed, err := v.direct.LastFailures(v.Context(), endpoint, v.now.Add(-groupsSince), 1)
	if err != nil || len(failed) == 0 {
		return nil, err
	}
	last := &lastError{attempt: v.attempt(failed[0].Attempt), EventID: failed[0].EventID}
	since, err := v.direct.Deliveries(v.Context(),
		event.DeliverySelection{Endpoints: []string{endpoint}, Events: []uuid.UUID{last.EventID},
			States: []event.DeliveryState{event.Delivered}}, maxDeliveriesOfEvent, "")
	for _, d := range since.Deliveries { // one before the error resolves nothing
		if d.UpdatedAt.After(failed[0].StartedAt) {
			last.Resolved = v.at(d.UpdatedAt)
			break
		}
	}
	return last, err
}

// percent formats a share. It returns 100 % for 1 only.
func percent(share float64) string {
	text := fmt.Sprintf("%.1f %%", share*100)
	if share < 1 && text == "100.0 %" {
		return "99.9 %"
	}
	return text
}
