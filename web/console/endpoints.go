package console

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

func (c *console) endpointsRoutes(mux *http.ServeMux) {
	mux.Handle("GET /endpoints", c.page(showEndpoints))
	steer := func(action event.Action) http.Handler {
		return c.page(func(v *visit) error {
			if err := v.direct.SteerEndpoint(v.Context(), v.PathValue("name"), action); err != nil {
				return err
			}
			return v.see(link("/endpoints", map[string][]string{"done": {string(action)}, "name": {v.PathValue("name")}}))
		})
	}
	mux.Handle("POST /endpoints/{name}/pause", steer(event.ActionPause))
	mux.Handle("POST /endpoints/{name}/resume", steer(event.ActionResume))
	mux.Handle("POST /endpoints/{name}/test", c.page(testEndpoint))
}

type endpointsPage struct {
	Endpoints []endpointCard
	MaySteer  bool
	Said      string // what was done just now
}

type endpointCard struct {
	api.Endpoint
	Figures  api.EndpointFigures
	Rate     string // delivered of attempted
	RateTone string
	Open     uint64 // live deliveries that are not at their end
	GivenUp  uint64
	Waiting  moment // since when the oldest waits
	Probe    moment // when a broken one is tried
	Failures []failure
	Tested   *attempt
}

// failure is an attempt that failed, of some event.
type failure struct {
	attempt
	EventID uuid.UUID
}

// maxFailures is how many of the last failures a card has.
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
			p.Said = name + " is being paused: nothing more goes to it, live or in a replay, until it is resumed. What there is to deliver waits."
		case "resume":
			p.Said = name + " is being resumed: it is tried within a second."
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
			tested := v.attempt(a)
			p.Endpoints[i].Tested = &tested
		}
	}
	return v.show("endpoints", "Endpoints", p)
}

func (v *visit) endpointsPage() (endpointsPage, error) {
	p := endpointsPage{MaySteer: v.who.Role.Covers(api.RoleReplay)}
	list, err := v.direct.Endpoints(v.Context())
	if err != nil {
		return p, err
	}
	figures, err := v.direct.EndpointFigures(v.Context(), v.now.Add(-figuresSince))
	if err != nil {
		return p, err
	}
	for _, e := range list {
		card, err := v.endpointCard(e, figures)
		if err != nil {
			return p, err
		}
		p.Endpoints = append(p.Endpoints, card)
	}
	return p, nil
}

func (v *visit) endpointCard(e api.Endpoint, figures []api.EndpointFigures) (endpointCard, error) {
	card := endpointCard{Endpoint: e, Rate: "–"}
	if i := slices.IndexFunc(figures, func(f api.EndpointFigures) bool { return f.Endpoint == e.Name }); i >= 0 {
		card.Figures = figures[i]
		share := float64(card.Figures.Delivered) / float64(card.Figures.Attempts)
		card.Rate, card.RateTone = percent(share), "good"
		switch { // the limits of the dashboards
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
	card.GivenUp = e.Backlog[event.Failed]
	card.Waiting = v.atOr(e.OldestOpen)
	if e.State == "broken" {
		card.Probe = v.atOr(e.NextProbe)
	}
	failed, err := v.direct.LastFailures(v.Context(), e.Name, v.now.Add(-figuresSince), maxFailures)
	card.Failures = v.failures(failed)
	return card, err
}

func (v *visit) failures(failed []api.Failure) (list []failure) {
	for _, f := range failed {
		list = append(list, failure{v.attempt(f.Attempt), f.EventID})
	}
	return list
}

// percent never says 100 % of what is less.
func percent(share float64) string {
	text := fmt.Sprintf("%.1f %%", share*100)
	if share < 1 && text == "100.0 %" {
		return "99.9 %"
	}
	return text
}
