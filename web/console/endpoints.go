package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

func (c *console) endpointsRoutes(mux *http.ServeMux) {
	mux.Handle("GET /endpoints", c.page(showEndpoints))
	steer := func(action event.Action) http.Handler {
		return c.page(func(v *visit) error {
			if err := v.direct.SteerEndpoint(v.Context(), v.PathValue("name"), action, v.PostFormValue("reason")); err != nil {
				return err
			}
			return v.redirect(link("/endpoints", url.Values{"done": {string(action)}, "name": {v.PathValue("name")}}))
		})
	}
	mux.Handle("POST /endpoints/{name}/pause", steer(event.ActionPause))
	mux.Handle("POST /endpoints/{name}/resume", steer(event.ActionResume))
	mux.Handle("POST /endpoints/{name}/test", c.page(testEndpoint))
}

type endpointsPage struct {
	Endpoints []endpointCard
	MaySteer  bool
	Said      string // the last action of the user
}

type endpointCard struct {
	api.Endpoint
	Stats    api.EndpointStats
	Rate     string // the share of successful attempts
	RateTone string
	Open     uint64 // live deliveries without a final state
	Failed   uint64
	Oldest   moment // the time of receipt of the oldest open event
	Probe    moment // the next attempt at a failing endpoint
	Failures []failure
	Tested   *attempt
}

// failure is a failed attempt.
type failure struct {
	attempt
	EventID uuid.UUID
}

// maxFailures limits the last failures of an endpoint.
const maxFailures = 5

func showEndpoints(v *visit) error {
	p, err := v.endpointsPage()
	if err != nil {
		return err
	}
	name := v.URL.Query().Get("name")
	if slices.ContainsFunc(p.Endpoints, func(e endpointCard) bool { return e.Name == name }) {
		switch v.URL.Query().Get("done") {
		case "pause":
			p.Said = name + " is being paused. Nothing is sent to it, live or in a replay, until it is resumed; its deliveries wait."
		case "resume":
			p.Said = name + " is being resumed. The next attempt is made within a second."
		}
	}
	return v.show("endpoints", "Endpoints", p)
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

func (v *visit) endpointsPage() (endpointsPage, error) {
	p := endpointsPage{MaySteer: v.user.Role.Covers(api.RoleReplay)}
	list, err := v.direct.Endpoints(v.Context())
	if err != nil {
		return p, err
	}
	stats, err := v.direct.EndpointStats(v.Context(), v.now.Add(-statsSince))
	if err != nil {
		return p, err
	}
	for _, e := range list {
		card, err := v.endpointCard(e, stats)
		if err != nil {
			return p, err
		}
		p.Endpoints = append(p.Endpoints, card)
	}
	return p, nil
}

func (v *visit) endpointCard(e api.Endpoint, stats []api.EndpointStats) (endpointCard, error) {
	card := endpointCard{Endpoint: e, Rate: "–"}
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
	for state, n := range e.Backlog {
		if !state.Final() {
			card.Open += n
		}
	}
	card.Failed = e.Backlog[event.Failed]
	card.Oldest = v.atOr(e.OldestOpen)
	if e.State == "broken" {
		card.Probe = v.atOr(e.NextProbe)
	}
	failed, err := v.direct.LastFailures(v.Context(), e.Name, v.now.Add(-statsSince), maxFailures)
	card.Failures = v.failures(failed)
	return card, err
}

func (v *visit) failures(failed []api.Failure) (list []failure) {
	for _, f := range failed {
		list = append(list, failure{v.attempt(f.Attempt), f.EventID})
	}
	return list
}

// percent formats a share. It returns 100 % for 1 only.
func percent(share float64) string {
	text := fmt.Sprintf("%.1f %%", share*100)
	if share < 1 && text == "100.0 %" {
		return "99.9 %"
	}
	return text
}
