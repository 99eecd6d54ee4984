package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/test/harness"
)

// The faults of external requests, for whose answer a bot waits.

var forwardFaults = []fault{
	{name: "backend fails", strike: backendFails},
	{name: "killed forwarding", strike: killedForwarding},
	{name: "no CH, forwarding", strike: clickHouseAwayForwarding},
}

const (
	// deadline is the source's where bots should get the fallback.
	deadline = 400 * time.Millisecond
	// longDeadline is the source's where no bot should: not even a loaded machine takes as long to answer.
	longDeadline = 20 * time.Second
	// promised is how much later than at the deadline a bot may have its reply.
	promised = 100 * time.Millisecond
	// lateness is what a busy machine may add: it suspends three processes in turn. A bot that gets nothing at the
	// deadline waits for half a minute.
	lateness = time.Second
	// forwardSettings continue the configuration of the source.
	forwardSettings = `    forward:
      to: backend
      deadline: %s
      append: [path, query]
      expect: [price]
      fallback: {status: 200, body: '` + fallback + `'}
endpoints:
  - name: backend
    url: %s
    allow_private: true
    breaker: {failures: 50, probe_after: 50ms, probe_max: 100ms}
`
)

// forwarding is the part of a trial for external requests.
type forwarding struct {
	*backend
	*bots
	deadline time.Duration // of the source
	killed   bool          // hooktape was killed
}

// beginForwarding starts a backend, a hooktape that forwards to it, and bots. It returns when they get answers.
func (t *trial) beginForwarding(ctx context.Context, deadline time.Duration) (*forwarding, error) {
	b, err := listenBackend()
	if err != nil {
		return nil, err
	}
	f := &forwarding{backend: b, deadline: deadline}
	t.forwarding = f
	settings := fmt.Sprintf(forwardSettings, deadline, b.url()) + hurry
	if t.hooktape, err = t.harness.NewHooktape(ctx, t.dsn(), settings); err != nil {
		return nil, err
	}
	t.addr = t.hooktape.Addr
	f.bots = startBots(ctx, t.addr, t.bots)
	return f, t.answered(ctx)
}

// answered waits until the bots get answers of the backend.
func (t *trial) answered(ctx context.Context) error { return t.results(ctx, gotAnswer, t.bots) }

// results waits until n more requests have a result.
func (t *trial) results(ctx context.Context, result string, n int) error {
	before := t.forwarding.count(result)
	return t.until(ctx, "bots to get: "+result, func() bool { return t.forwarding.count(result) >= before+n })
}

// backendFails makes the backend fail in every way, one after the other.
func backendFails(ctx context.Context, t *trial) error {
	f, err := t.beginForwarding(ctx, deadline)
	if err != nil {
		return err
	}
	for _, way := range []struct {
		name   string
		answer conduct // nil: killed
		want   string
	}{{"slow", slow(deadline / 4), gotAnswer}, {"hanging", hangs, gotFallback}, {"garbage", garbage, gotFallback},
		{"cut off", cutOff, gotPart}, {"endless", endless, gotPart}, {"killed", nil, gotFallback}} {
		if way.answer == nil {
			f.Down()
		} else {
			f.Behave(way.answer)
		}
		if err := t.results(ctx, way.want, 2*t.bots); err != nil {
			return err
		}
		if way.answer == nil {
			err = f.Up()
		} else {
			f.Behave(answers)
		}
		if err := errors.Join(err, t.answered(ctx)); err != nil {
			return err
		}
		t.say(t.name, "%s", way.name)
	}
	return nil
}

// killedForwarding kills hooktape in each stage of a forwarded request: at any moment, when the backend has the
// request, in the middle of the answer, and at its end.
func killedForwarding(ctx context.Context, t *trial) error {
	f, err := t.beginForwarding(ctx, deadline)
	if err != nil {
		return err
	}
	f.killed = true
	reached := make(chan struct{}, 1)
	signal := func() {
		select {
		case reached <- struct{}{}:
		default:
		}
	}
	for i := range t.suite.rounds {
		for _, stage := range []struct {
			name   string
			answer conduct
		}{{"any moment", nil},
			{"request sent", func(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{}) {
				signal()
				hangs(w, r, n, over)
			}},
			{"half an answer", func(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{}) {
				half(w, n)
				signal()
				hangs(w, r, n, over)
			}},
			{"answered", func(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{}) {
				answers(w, r, n, over)
				_ = http.NewResponseController(w).Flush()
				signal()
			}}} {
			if stage.answer == nil {
				if err := harness.Pause(ctx, t.moment()); err != nil {
					return err
				}
			} else {
				f.Behave(stage.answer)
				select {
				case <-reached:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			t.hooktape.Kill()
			f.Behave(answers)
			if err := errors.Join(t.hooktape.Start(ctx), t.answered(ctx)); err != nil {
				return err
			}
			select { // another request was in the same stage
			case <-reached:
			default:
			}
		}
		t.say(t.name, "%d of %d, %d answers so far", i+1, t.suite.rounds, f.count(gotAnswer))
	}
	return nil
}

// clickHouseAwayForwarding kills ClickHouse for a while. The bots notice nothing.
func clickHouseAwayForwarding(ctx context.Context, t *trial) error {
	f, err := t.beginForwarding(ctx, longDeadline)
	if err != nil {
		return err
	}
	t.engine.Kill()
	before := f.count(gotFallback)
	if err := errors.Join(harness.Pause(ctx, t.away), t.answered(ctx)); err != nil {
		return err
	}
	if n := f.count(gotFallback) - before; n > 0 {
		return fmt.Errorf("%d bots got the fallback while ClickHouse was away", n)
	}
	return errors.Join(t.engine.Start(ctx), t.answered(ctx))
}

// forwardRow has the results of external requests under one fault.
type forwardRow struct {
	fault     string `column:"fault"`
	sent      int    `column:"sent"`
	answers   int    `column:"answers"`
	fallbacks int    `column:"fallbacks"`
	parts     int    `column:"broken off"`
	nothing   int    `column:"no reply"` // hooktape was killed
	unknown   int    `column:"unknown"`  // attempts whose outcome was lost
	missing   int    `column:"MISSING"`  // replied or sent on, but without an event or an attempt
	doubled   int    `column:"DOUBLED"`  // events or attempts of one request, or requests at the backend
	wrong     int    `column:"WRONG"`    // the attempt says otherwise than the bot, or the bot got other data
	late      int    `column:"LATE"`     // replied after the deadline and its allowance
	latest    int    // milliseconds of the last reply after the deadline; negative: before it
}

// broken returns the broken promises as an error.
func (r *forwardRow) broken() error {
	switch {
	case r.missing+r.doubled+r.wrong+r.late > 0:
		return fmt.Errorf("%d missing, %d doubled, %d wrong, %d late", r.missing, r.doubled, r.wrong, r.late)
	case r.answers == 0:
		return errors.New("no bot was answered")
	}
	return nil
}

// told is what ClickHouse says about an external request.
type told struct {
	events, attempts  uint64
	outcome, fallback string
}

// agrees reports whether the stored attempt matches the answer that the bot got.
func (a told) agrees(result string, killed bool) bool {
	if a.outcome == "unknown" {
		return killed
	}
	switch result {
	case gotAnswer:
		return a.fallback == "" && a.outcome == "delivered"
	case gotFallback:
		return a.fallback != ""
	case gotPart:
		return a.fallback == "" && (killed || a.outcome == "broken_answer" || a.outcome == "timeout")
	}
	return result == gotNothing && killed
}

// judgeForwarded compares the ledger of the bots with the backend's, and with the stored events and attempts.
func (t *trial) judgeForwarded(ctx context.Context) (any, error) {
	f, r := t.forwarding, &forwardRow{fault: t.name}
	f.stop()
	err := errors.Join(t.settle(ctx), t.until(ctx, "an attempt for each event", func() bool {
		return t.number(ctx, "SELECT count() FROM events") > 0 &&
			t.number(ctx, "SELECT count() FROM events WHERE id NOT IN (SELECT event_id FROM attempts)") == 0
	}))
	stored, failed := t.told(ctx)
	if err = errors.Join(err, failed); err != nil {
		return r, err
	}
	r.sent, r.latest = len(f.ledger), int(-f.deadline.Milliseconds())
	r.answers, r.fallbacks, r.parts, r.nothing = f.counts[gotAnswer], f.counts[gotFallback], f.counts[gotPart],
		f.counts[gotNothing]
	sent := f.requests()
	for n, got := range f.ledger {
		is, ok := stored[n]
		if !ok && (got.result != gotNothing || sent[n] > 0) {
			r.missing++
			continue
		}
		if is.outcome == "unknown" {
			r.unknown++
		}
		if ok && is.attempts == 0 {
			r.missing++
		}
		if is.events > 1 || is.attempts > 1 || sent[n] > 1 {
			r.doubled++
		}
		if ok && !is.agrees(got.result, f.killed) || got.result == gotNothing && !f.killed {
			r.wrong++
			t.say(t.name, "request %s: the bot got %s, ClickHouse says %+v", n, got.result, is)
		}
		if got.result != gotNothing {
			r.latest = max(r.latest, int((got.took - f.deadline).Milliseconds()))
			if got.took > f.deadline+promised+lateness {
				r.late++
			}
		}
	}
	for n := range sent {
		if _, ok := f.ledger[n]; !ok {
			r.wrong++ // the backend got what no bot sent
		}
	}
	t.say(t.name, "%d answers, %d fallbacks, %d unknown; the latest reply came %d ms after the deadline", r.answers,
		r.fallbacks, r.unknown, r.latest)
	return r, r.broken()
}

// told reads the stored record of each request, by its number.
func (t *trial) told(ctx context.Context) (map[string]told, error) {
	stored := map[string]told{}
	err := t.query(ctx, func(conn driver.Conn) error {
		rows, err := conn.Query(ctx, `SELECT e.bothelp_user_id, any(e.rows), sum(a.rows), any(a.outcome), any(a.fallback)
			FROM (SELECT bothelp_user_id, id, count() OVER (PARTITION BY bothelp_user_id) AS rows FROM events) AS e
			LEFT JOIN (SELECT event_id, count() AS rows, any(toString(outcome)) AS outcome, any(toString(fallback)) AS fallback
				FROM attempts WHERE kind = 'forward' GROUP BY event_id) AS a ON a.event_id = e.id
			GROUP BY e.bothelp_user_id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n string
			var is told
			if err := rows.Scan(&n, &is.events, &is.attempts, &is.outcome, &is.fallback); err != nil {
				return err
			}
			stored[n] = is
		}
		return rows.Err()
	})
	return stored, err
}
