package panels_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/dashboards"
	"hooktape/internal/event"
	"hooktape/internal/store"
)

const deliveries = "hooktape-deliveries"

// history is a generated history of deliveries, with what a test must know of it.
type history struct {
	events     map[uuid.UUID]event.Event
	deliveries []event.Delivery // in their final state
	attempts   []event.Attempt
	replays    []event.Replay
}

// generateHistory returns a history of the six hours before `until`: three endpoints of different reliability and
// deliveries in each state, with up to five attempts each, live and of two replays.
func generateHistory() history {
	chance := rand.New(rand.NewPCG(1, 2))
	p := history{events: map[uuid.UUID]event.Event{}}
	replay := uuid.MustParse("01a30000-0000-7000-8000-000000000001")
	for i := range 900 {
		at := until.Add(-6 * time.Hour).Add(time.Duration(i) * 23 * time.Second)
		e := event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "course", Step: "start",
			Verdict: event.Accepted, Method: "POST", Path: "/hooks/course/***/start",
			RemoteIP: netip.MustParseAddr("192.0.2.1")},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(i % 70),
				Name: fmt.Sprint("Ада ", i)}}
		p.events[e.ID] = e
		way := []uuid.UUID{uuid.Nil, uuid.Nil, replay}[i%3]
		d := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: way,
			Endpoint: []string{"crm", "sheet", "o'dd \\ one"}[chance.IntN(3)], EventID: e.ID},
			EventReceivedAt: at, Subscriber: e.BothelpUserID, CreatedAt: at.Add(time.Second),
			UpdatedAt: at.Add(time.Second), State: event.Pending}
		p.send(chance, d)
	}
	p.replays = []event.Replay{
		{ID: replay, CreatedAt: until.Add(-time.Hour), UpdatedAt: until, CreatedBy: "ада", State: event.ReplayRunning,
			Endpoint: "crm", Total: 10, PerSecond: 2, Counts: map[event.DeliveryState]uint64{event.Delivered: 4,
				event.Failed: 1, event.Cancelled: 1, event.Pending: 4}},
		{ID: uuid.MustParse("01a30000-0000-7000-8000-000000000002"), CreatedAt: until.Add(-5 * time.Hour),
			UpdatedAt: until, State: event.ReplayCompleted, Endpoint: "crm", Total: 2,
			Counts: map[event.DeliveryState]uint64{event.Delivered: 2}},
	}
	return p
}

// send generates the attempts of a delivery, up to its final state or its latest attempt.
func (p *history) send(chance *rand.Rand, d event.Delivery) {
	results := []struct {
		outcome event.Outcome
		status  uint16
	}{{event.OutcomeDelivered, 200}, {event.OutcomeDelivered, 204}, {event.OutcomeStatus, 503},
		{event.OutcomeStatus, 404}, {event.OutcomeTimeout, 0}, {event.OutcomeNoConn, 0}, {event.OutcomeBroken, 200},
		{event.OutcomeUnknown, 0}}
	for range chance.IntN(6) {
		r := results[chance.IntN(len(results))]
		d.Attempts++
		a := event.Attempt{ID: uuid.Must(uuid.NewRandomFromReader(reader{chance})), EventID: d.EventID,
			Endpoint: d.Endpoint, ReplayID: d.ReplayID, Number: d.Attempts, StartedAt: d.UpdatedAt.Add(time.Minute),
			Duration: time.Duration(chance.IntN(4000)) * time.Millisecond, Outcome: r.outcome, StatusCode: r.status}
		if !r.outcome.OK() {
			a.Error = fmt.Sprint("no ", d.Attempts)
		}
		p.attempts = append(p.attempts, a)
		d.UpdatedAt, d.StatusCode, d.Error = a.StartedAt.Add(a.Duration), r.status, a.Error
		d.State = []event.DeliveryState{event.Retrying, event.Retrying, event.Failed, event.Unknown}[chance.IntN(4)]
		if r.outcome.OK() {
			d.State = event.Delivered
		}
		if d.State == event.Retrying {
			d.NextAt = d.UpdatedAt.Add(time.Minute)
		}
		if d.State.Final() {
			break
		}
	}
	p.deliveries = append(p.deliveries, d)
}

// reader makes random ids the same in each run.
type reader struct{ *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// insert stores a history in ClickHouse as hooktape does: first the new deliveries, then their final state, twice under
// one deduplication token, and some of them once more.
func (p history) insert(t *testing.T, db *store.Store) {
	t.Helper()
	ctx := context.Background()
	var events []event.Event
	for _, e := range p.events {
		events = append(events, e)
	}
	fresh := slices.Clone(p.deliveries)
	for i := range fresh {
		fresh[i].State, fresh[i].Attempts, fresh[i].UpdatedAt, fresh[i].NextAt = event.Pending, 0, fresh[i].CreatedAt,
			time.Time{}
	}
	for _, err := range []error{db.InsertEvents(ctx, "", events), db.InsertDeliveries(ctx, fresh),
		db.RecordOutcomes(ctx, "once", p.deliveries, p.attempts), db.RecordOutcomes(ctx, "once", p.deliveries,
			p.attempts), db.InsertDeliveries(ctx, p.deliveries[:300]),
		db.SaveEndpointState(ctx, event.EndpointState{Endpoint: "crm", State: "failing", Reason: "503",
			UpdatedAt: until})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range p.replays {
		if err := db.SaveReplay(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeliveriesTruth compares the dashboard of deliveries with a generated history whose numbers are counted in Go.
func TestDeliveriesTruth(t *testing.T) {
	db, stored := empty(t)
	p := generateHistory()
	p.insert(t, stored)
	for _, plugin := range []int{3, 4} {
		for _, hours := range []int{2, 8} {
			for _, endpoint := range []string{"", "crm", `o'dd \ one`} {
				if plugin == 3 && (hours != 2 || endpoint != "crm") {
					continue // the plugins differ only in their macros
				}
				t.Run(fmt.Sprintf("plugin %d/%d hours/%s", plugin, hours, endpoint), func(t *testing.T) {
					t.Parallel()
					v := dashboards.View{From: until.Add(-time.Duration(hours) * time.Hour), To: until, Zone: "UTC",
						Plugin: plugin, Interval: 10 * time.Minute}
					if endpoint != "" {
						v.Values = map[string][]string{"endpoints": {dashboards.Key(endpoint)}}
					}
					c := comparison{t: t, db: db, view: v}
					c.deliveries(p.of(endpoint), hours == 8)
				})
			}
		}
	}
}

// of returns the part of a history that belongs to an endpoint; "" returns all of it.
func (p history) of(endpoint string) history {
	if endpoint == "" {
		return p
	}
	part := history{events: p.events}
	for _, d := range p.deliveries {
		if d.Endpoint == endpoint {
			part.deliveries = append(part.deliveries, d)
		}
	}
	for _, a := range p.attempts {
		if a.Endpoint == endpoint {
			part.attempts = append(part.attempts, a)
		}
	}
	for _, r := range p.replays {
		if r.Endpoint == endpoint {
			part.replays = append(part.replays, r)
		}
	}
	return part
}

func (c comparison) within(t time.Time) bool { return !t.Before(c.view.From) && !t.After(c.view.To) }

func (c comparison) deliveries(p history, all bool) {
	settled, waiting, lost := map[event.DeliveryState]int{}, map[string]int{}, []string{}
	byEndpoint := map[string]map[event.DeliveryState]int{}
	for _, d := range p.deliveries {
		if byEndpoint[d.Endpoint] == nil {
			byEndpoint[d.Endpoint] = map[event.DeliveryState]int{}
		}
		switch {
		case !d.State.Final():
			waiting[fmt.Sprint(d.Endpoint, " ", d.State)]++
			byEndpoint[d.Endpoint][event.Pending]++
		case c.within(d.UpdatedAt):
			settled[d.State]++
			byEndpoint[d.Endpoint][d.State]++
			if d.State == event.Failed {
				lost = append(lost, fmt.Sprint(d.EventID, d.Endpoint, p.events[d.EventID].Name, d.Attempts, d.Error))
			}
		}
	}
	open := 0
	for _, n := range waiting {
		open += n
	}
	got := c.see(deliveries, "Finished deliveries")[0]
	delivered, failed := settled[event.Delivered], settled[event.Failed]
	if s, want := fmt.Sprintf("%d %d %.6f", got.n("Delivered"), got.n("Failed"), got.f("Success")),
		fmt.Sprintf("%d %d %.6f", delivered, failed, float64(delivered)/float64(delivered+failed)); s != want ||
		failed == 0 {
		c.t.Errorf("finished: %s, want %s", s, want)
	}
	if n := c.see(deliveries, "Open deliveries")[0].n("Open"); n != uint64(open) {
		c.t.Errorf("%d open, want %d", n, open)
	}
	c.equal("backlog", lines(c.see(deliveries, "Open deliveries by state"), func(r row) string {
		return fmt.Sprint(r.s("Endpoint"), " ", r.s("State"), " ", r.n("Deliveries"))
	}), byKey(waiting, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	shown := lines(c.see(deliveries, "Failed deliveries"), func(r row) string {
		return fmt.Sprint(r.s("Request"), r.s("Endpoint"), r.s("Name"), r.n("Attempts"), r.s("Error"))
	})
	if len(lost) <= 200 {
		c.equal("failed", shown, lost)
	} else if len(shown) != 200 {
		c.t.Errorf("%d failed deliveries shown, want %d", len(shown), len(lost))
	}
	c.attempts(p, byEndpoint)
	c.replays(p, all)
}

func (c comparison) attempts(p history, byEndpoint map[string]map[event.DeliveryState]int) {
	var took, again []float64
	tookIn, endpoints := map[int64][]float64{}, map[string][]float64{}
	answers, outcomes := map[string]int{}, map[string]int{}
	words := map[event.Outcome]string{event.OutcomeDelivered: "delivered", event.OutcomeStatus: "bad status",
		event.OutcomeTimeout: "timeout", event.OutcomeNoConn: "no connection"}
	for _, a := range p.attempts {
		if !c.within(a.StartedAt) {
			continue
		}
		ms := float64(a.Duration.Milliseconds())
		bucket := a.StartedAt.Unix() / 600 * 600
		took = append(took, ms)
		endpoints[a.Endpoint] = append(endpoints[a.Endpoint], ms)
		if a.Number > 1 {
			again = append(again, ms)
		}
		if a.Outcome != event.OutcomeUnknown {
			tookIn[bucket] = append(tookIn[bucket], ms)
		}
		status := "none"
		if a.StatusCode != 0 {
			status = fmt.Sprint(a.StatusCode)
		}
		answers[a.Endpoint+" "+status]++
		outcomes[fmt.Sprint(bucket, " ", cmp.Or(words[a.Outcome], "other"))]++
	}
	got := c.see(deliveries, "Attempts")[0]
	if s, want := fmt.Sprintf("%d %d %.3f %.3f", got.n("Attempts"), got.n("Retries"), got.f("Median"), got.f("p95")),
		fmt.Sprintf("%d %d %.3f %.3f", len(took), len(again), quantile(took, 0.5), quantile(took, 0.95)); s != want {
		c.t.Errorf("attempts: %s, want %s", s, want)
	}
	c.equal("answers", lines(c.see(deliveries, "Responses by status"), func(r row) string {
		return fmt.Sprint(r.s("Endpoint"), " ", r.s("Status"), " ", r.n("Attempts"))
	}), byKey(answers, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	var ended []string
	for _, r := range c.see(deliveries, "Attempts by outcome") {
		for _, what := range []string{"delivered", "bad status", "timeout", "no connection", "other"} {
			if n := r.n(what); n > 0 {
				ended = append(ended, fmt.Sprint(c.unix(r), " ", what, " ", n))
			}
		}
	}
	c.equal("outcomes", ended, byKey(outcomes, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	c.equal("answer times", lines(c.see(deliveries, "Endpoint response time"), func(r row) string {
		return fmt.Sprintf("%d %.3f %.3f %.3f", c.unix(r), r.f("Median"), r.f("p95"), r.f("p99"))
	}), byKey(tookIn, func(at int64, ms []float64) string {
		return fmt.Sprintf("%d %.3f %.3f %.3f", at, quantile(ms, 0.5), quantile(ms, 0.95), quantile(ms, 0.99))
	}))
	c.equal("endpoints", lines(c.see(deliveries, "Endpoints"), func(r row) string {
		return fmt.Sprintf("%s %s %d %d %d %d %.3f", r.s("Endpoint"), r.s("State"), r.n("Delivered"), r.n("Failed"),
			r.n("Open"), r.n("Attempts"), r.f("p95"))
	}), byKey(byEndpoint, func(name string, n map[event.DeliveryState]int) string {
		state := map[string]string{"crm": "failing"}[name]
		return fmt.Sprintf("%s %s %d %d %d %d %.3f", name, cmp.Or(state, "adhoc"), n[event.Delivered], n[event.Failed],
			n[event.Pending], len(endpoints[name]), quantile(endpoints[name], 0.95))
	}))
}

// unix returns the time of a row of a dashboard in UTC.
func (c comparison) unix(r row) int64 {
	at, err := time.Parse(time.DateTime, r.s("time"))
	if err != nil {
		c.t.Fatal(err)
	}
	return at.Unix()
}

// quantile computes what ClickHouse's function of that name returns for fewer than 8,192 numbers: it interpolates
// between the two nearest.
func quantile(list []float64, level float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	place := level * float64(len(list)-1)
	low := int(place)
	return list[low] + (place-float64(low))*(list[min(low+1, len(list)-1)]-list[low])
}

func (c comparison) replays(p history, all bool) {
	var want []string
	for _, r := range p.replays {
		if all || !r.State.Final() {
			open := r.Total - r.Counts[event.Delivered] - r.Counts[event.Failed] - r.Counts[event.Cancelled]
			left := 0.0
			if r.PerSecond > 0 {
				left = float64(open) / r.PerSecond
			}
			want = append(want, fmt.Sprintf("%s %s %d %d %d %.3f %.3f", r.ID, r.State, r.Total, r.Counts[event.Failed],
				open, float64(r.Counts[event.Delivered])/float64(r.Total), left))
		}
	}
	c.equal("replays", lines(c.see(deliveries, "Replays"), func(r row) string {
		return fmt.Sprintf("%s %s %d %d %d %.3f %.3f", r.s("Replay"), r.s("State"), r.n("Requests"), r.n("Failed"),
			r.n("Open"), r.f("Delivered"), r.f("Time left"))
	}), want)
}
