package panels_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/dashboards"
	"hooktape/internal/event"
)

const external = "hooktape-external"

// externalRequest is an external request of a generated history: the event and its only attempt.
type externalRequest struct {
	event.Event
	event.Attempt
}

// waited returns how long the bot waited, in milliseconds.
func (a externalRequest) waited() float64 { return float64((a.Duration + a.Overhead).Milliseconds()) }

// generateExternal returns five hours of external requests of two sources at two steps, with each kind of answer.
func generateExternal() (list []externalRequest) {
	chance := rand.New(rand.NewPCG(5, 6))
	answers := []struct {
		fallback event.Fallback
		outcome  event.Outcome
		status   uint16
		missing  []string
	}{{outcome: event.OutcomeDelivered, status: 200}, {outcome: event.OutcomeDelivered, status: 200},
		{outcome: event.OutcomeStatus, status: 404}, {outcome: event.OutcomeBroken, status: 200},
		{outcome: event.OutcomeTimeout, status: 200},
		{outcome: event.OutcomeDelivered, status: 200, missing: []string{"price"}},
		{outcome: event.OutcomeDelivered, status: 201, missing: []string{"paid", "price"}},
		{fallback: event.FallbackDeadline, outcome: event.OutcomeTimeout},
		{fallback: event.FallbackRefused, outcome: event.OutcomeNoConn},
		{fallback: event.FallbackFailing, outcome: event.OutcomeNotSent},
		{fallback: event.FallbackInFlight, outcome: event.OutcomeNotSent},
		{fallback: event.FallbackError, outcome: event.OutcomeBroken}, {outcome: event.OutcomeUnknown}}
	for i := range 700 {
		at := until.Add(-5 * time.Hour).Add(time.Duration(i) * 25 * time.Second)
		e := event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at,
			Source: []string{"price", `o'dd \ one`}[chance.IntN(2)], Step: []string{"",
				"paid"}[chance.IntN(2)], Verdict: event.Accepted}}
		got := answers[chance.IntN(len(answers))]
		a := event.Attempt{ID: event.ForwardID(e.ID, "backend"), EventID: e.ID, Endpoint: "backend", Number: 1,
			StartedAt: at.Add(time.Second), Kind: event.AttemptForward, Source: e.Source, Outcome: got.outcome, StatusCode: got.status,
			Fallback: got.fallback, MissingKeys: got.missing, ResponseBytes: 12}
		if got.outcome != event.OutcomeUnknown {
			a.Duration, a.Overhead = time.Duration(chance.IntN(8000))*time.Millisecond,
				time.Duration(chance.IntN(9)+1)*time.Millisecond
		}
		list = append(list, externalRequest{e, a})
	}
	return list
}

// TestExternalTruth compares the dashboard of external requests with a generated history whose numbers are counted in
// Go. Deliveries of the same events do not count.
func TestExternalTruth(t *testing.T) {
	db, stored := empty(t)
	list := generateExternal()
	var events []event.Event
	var attempts []event.Attempt
	for _, a := range list {
		replayed := event.Attempt{ID: uuid.New(), EventID: a.EventID, Endpoint: "backend", Number: 1,
			StartedAt: a.StartedAt, Duration: time.Hour, Outcome: event.OutcomeTimeout}
		events, attempts = append(events, a.Event), append(attempts, a.Attempt, replayed)
	}
	if err := stored.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
	if err := stored.RecordOutcomes(context.Background(), "once", nil, attempts); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range []int{3, 4} {
		for _, hours := range []int{2, 6} {
			for _, source := range []string{"", `o'dd \ one`} {
				t.Run(fmt.Sprintf("plugin %d/%d hours/%s", plugin, hours, source), func(t *testing.T) {
					t.Parallel()
					v := dashboards.View{From: until.Add(-time.Duration(hours) * time.Hour), To: until, Zone: "UTC",
						Plugin: plugin, Interval: 10 * time.Minute}
					if source != "" {
						v.Values = map[string][]string{"sources": {dashboards.Key(source)}}
					}
					c := comparison{t: t, db: db, view: v}
					c.external(slices.DeleteFunc(slices.Clone(list), func(a externalRequest) bool {
						return !c.within(a.StartedAt) || source != "" && a.Source != source
					}))
				})
			}
		}
	}
}

func (c comparison) external(list []externalRequest) {
	words := map[event.Fallback]string{event.FallbackDeadline: "deadline", event.FallbackRefused: "no connection",
		event.FallbackFailing: "endpoint failing", event.FallbackInFlight: "too many at once",
		event.FallbackError: "other"}
	answers, reasons, statuses, missing := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	took, ours, steps := series{}, series{}, map[string][]externalRequest{}
	answered, fallbacks, broken, incomplete := 0, 0, 0, 0
	for _, a := range list {
		got := "unknown"
		switch {
		case a.Fallback != "":
			got = "fallback: " + words[a.Fallback]
			fallbacks++
			reasons[a.Source+" "+string(a.Fallback)]++
		case a.Outcome == event.OutcomeUnknown:
			broken++
		case a.Outcome == event.OutcomeBroken || a.Outcome == event.OutcomeTimeout:
			got = "broken off"
			broken++
		default:
			got = "backend's answer"
			answered++
		}
		answers[fmt.Sprint(a.StartedAt.Unix()/600*600, " ", got)]++
		status := "none"
		if a.StatusCode != 0 {
			status = fmt.Sprint(a.StatusCode)
		}
		statuses[status]++
		if len(a.MissingKeys) > 0 {
			incomplete++
		}
		for _, key := range a.MissingKeys {
			missing[fmt.Sprint(a.Source, "/", a.Step, " ", key)]++
		}
		if a.Outcome != event.OutcomeUnknown {
			took.add(a.StartedAt, a.waited())
			ours.add(a.StartedAt, float64(a.Overhead.Milliseconds()))
		}
		steps[a.Source+"/"+a.Step] = append(steps[a.Source+"/"+a.Step], a)
	}
	sum := func(list []float64) float64 { return average(list) * float64(len(list)) }

	got := c.see(external, "External requests")[0]
	minutes := c.view.To.Sub(c.view.From).Minutes()
	if s, want := fmt.Sprintf("%d %.4f %.4f %d %d %d", got.n("Requests"), got.f("Per minute"),
		got.f("Answered by the backend"), got.n("Fallbacks"), got.n("Broken off"), got.n("Missing keys")),
		fmt.Sprintf("%d %.4f %.4f %d %d %d", len(list), float64(len(list))/minutes, float64(answered)/float64(len(list)),
			fallbacks, broken, incomplete); s != want || fallbacks*broken*incomplete == 0 {
		c.t.Errorf("requests: %s, want %s", s, want)
	}
	got = c.see(external, "Response time")[0]
	if s, want := numbers(got.f("Median"), got.f("p95"), got.f("p99"), got.f("In hooktape")),
		numbers(quantile(took.all(), 0.5), quantile(took.all(), 0.95), quantile(took.all(), 0.99),
			sum(ours.all())/sum(took.all())); s != want {
		c.t.Errorf("response time: %s, want %s", s, want)
	}
	var over []string
	for _, r := range c.see(external, "Requests by answer") {
		for _, what := range []string{"backend's answer", "broken off", "fallback: deadline", "fallback: no connection",
			"fallback: endpoint failing", "fallback: too many at once", "fallback: other", "unknown"} {
			if n := r.n(what); n > 0 {
				over = append(over, fmt.Sprint(c.unix(r), " ", what, " ", n))
			}
		}
	}
	c.equal("answers", over, byKey(answers, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	c.equal("response time over time", lines(c.see(external, "Response time over time"), func(r row) string {
		return fmt.Sprint(c.unix(r), numbers(r.f("Median"), r.f("p95"), r.f("p99")))
	}), byKey(took, func(at int64, ms []float64) string {
		return fmt.Sprint(at, numbers(quantile(ms, 0.5), quantile(ms, 0.95), quantile(ms, 0.99)))
	}))
	c.equal("share", lines(c.see(external, "Share of time in hooktape"), func(r row) string {
		return fmt.Sprint(c.unix(r), numbers(r.f("In hooktape")))
	}),
		byKey(took, func(at int64, ms []float64) string { return fmt.Sprint(at, numbers(sum(ours[at])/sum(ms))) }))
	c.equal("fallbacks", lines(c.see(external, "Fallbacks by reason"), func(r row) string {
		return fmt.Sprint(r.s("Source"), " ", r.s("Reason"), " ", r.n("Fallbacks"))
	}), byKey(reasons, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	c.equal("statuses", lines(c.see(external, "Responses by status"), func(r row) string {
		return fmt.Sprint(r.s("Status"), " ", r.n("Requests"))
	}),
		byKey(statuses, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	c.equal("missing keys", lines(c.see(external, "Missing keys"), func(r row) string {
		return fmt.Sprint(r.s("Source"), "/", r.s("Step"), " ", r.s("Key"), " ", r.n("Answers"))
	}), byKey(missing, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	c.equal("steps", lines(c.see(external, "Sources and steps"), func(r row) string {
		return fmt.Sprint(r.s("Source"), "/", r.s("Step"), " ", r.n("Requests"), " ", r.n("Fallbacks"), " ",
			r.n("Broken off"), " ", r.n("Missing keys"), numbers(r.f("Median"), r.f("p95"), r.f("p99"), r.f("Fallback share"),
				r.f("In hooktape")))
	}), byKey(steps, func(step string, list []externalRequest) string {
		var took, ours []float64
		fallbacks, broken, incomplete := 0, 0, 0
		for _, a := range list {
			if a.Fallback != "" {
				fallbacks++
			}
			if event.BrokenOff(a.Fallback, a.Attempt.Outcome) {
				broken++
			}
			if len(a.MissingKeys) > 0 {
				incomplete++
			}
			if a.Outcome != event.OutcomeUnknown {
				took, ours = append(took, a.waited()), append(ours, float64(a.Overhead.Milliseconds()))
			}
		}
		return fmt.Sprint(step, " ", len(list), " ", fallbacks, " ", broken, " ", incomplete,
			numbers(quantile(took, 0.5), quantile(took, 0.95), quantile(took, 0.99),
				float64(fallbacks)/float64(len(list)), sum(ours)/sum(took)))
	}))
	var sources []string
	for _, a := range list {
		if key := dashboards.Key(a.Source); !slices.Contains(sources, key) {
			sources = append(sources, key)
		}
	}
	if c.view.Values == nil {
		c.equal("the list of sources", lines(c.see(external, "sources"), func(r row) string {
			return r.s("id")
		}), sources)
	}
}
