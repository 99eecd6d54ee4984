package replay

import (
	"math"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

func status(code uint16) outbound.Answer {
	return outbound.Answer{Outcome: event.OutcomeStatus, Status: code}
}

// bounds returns the range of many random delays after an attempt.
func bounds(t *testing.T, p RetryPolicy, a outbound.Answer, attempts uint32) (least, most time.Duration) {
	t.Helper()
	least = math.MaxInt64
	for range 2000 {
		delay, again, why := p.Next(a, attempts, 0)
		if !again || why != "" {
			t.Fatalf("after attempt %d: %v, %q", attempts, again, why)
		}
		least, most = min(least, delay), max(most, delay)
	}
	return least, most
}

// TestSchedule verifies that delays cover the range from half of a step to the whole step.
func TestSchedule(t *testing.T) {
	p := DefaultRetry()
	for i, step := range p.Schedule {
		least, most := bounds(t, p, status(503), uint32(i+1))
		if least < step/2 || least > step*55/100 || most > step || most < step*95/100 {
			t.Errorf("step %s: %s … %s", step, least, most)
		}
	}
	if _, again, why := p.Next(status(503), 9, 0); again || why != "gave up after 9 attempts" {
		t.Errorf("after the last step: %v, %q", again, why)
	}
	p.MaxAttempts = 20
	if least, most := bounds(t, p, status(503), 15); least < 6*time.Hour || most > 12*time.Hour {
		t.Errorf("beyond the schedule: %s … %s", least, most)
	}
}

func TestGivingUp(t *testing.T) {
	p := DefaultRetry()
	p.MaxAge = 72 * time.Hour
	once := p
	once.MaxAttempts = 1
	picky := RetryPolicy{Schedule: []time.Duration{time.Second}, On: []string{"302", "5xx"}}
	hurt := outbound.Answer{Outcome: event.OutcomeTimeout}
	for _, c := range []struct {
		name     string
		p        RetryPolicy
		a        outbound.Answer
		attempts uint32
		age      time.Duration
		why      string // empty: retried
	}{
		{"no answer", p, hurt, 1, 0, ""},
		{"broken off after a 200", p, outbound.Answer{Outcome: event.OutcomeBroken, Status: 200}, 1, 0, ""},
		{"no connection", p, outbound.Answer{Outcome: event.OutcomeNoConn}, 1, 0, ""},
		{"408", p, status(408), 1, 0, ""},
		{"425", p, status(425), 1, 0, ""},
		{"429", p, status(429), 1, 0, ""},
		{"500", p, status(500), 1, 0, ""},
		{"599", p, status(599), 8, 0, ""},
		{"404", p, status(404), 1, 0, "404 is not tried again"},
		{"302", p, status(302), 1, 0, "302 is not tried again"},
		{"101", p, status(101), 1, 0, "101 is not tried again"},
		{"delivered", p, outbound.Answer{Outcome: event.OutcomeDelivered, Status: 200}, 1, 0, "it is delivered"},
		{"forbidden", p, outbound.Answer{Outcome: event.OutcomeForbidden}, 1, 0, ""},
		{"impossible", p, outbound.Answer{Outcome: event.OutcomeImpossible}, 1, 0, "that is not tried again"},
		{"one attempt", once, hurt, 1, 0, "gave up after 1 attempt"},
		{"too many", p, hurt, 12, 0, "gave up after 12 attempts"},
		{"too old", p, hurt, 1, 72 * time.Hour, "gave up: older than 72h by the next attempt"},
		{"too old at the next attempt", p, hurt, 8, 66 * time.Hour, "gave up: older than 72h by the next attempt"},
		{"not too old at the next attempt", p, hurt, 8, 59 * time.Hour, ""},
		{"too old after Retry-After", p, outbound.Answer{Outcome: event.OutcomeStatus, Status: 503,
			RetryAfter: 3 * time.Hour}, 1, 70 * time.Hour, "gave up: older than 72h by the next attempt"},
		{"only some: 302", picky, status(302), 1, 0, ""},
		{"only some: 429", picky, status(429), 1, 0, "429 is not tried again"},
		{"only some: no answer", picky, hurt, 1, 0, "what gets no answer is not tried again"},
		{"default attempts", picky, status(500), 2, 0, "gave up after 2 attempts"},
	} {
		_, again, why := c.p.Next(c.a, c.attempts, c.age)
		if why != c.why || again != (c.why == "") {
			t.Errorf("%s: %v, %q; want %q", c.name, again, why, c.why)
		}
	}
}

// TestRetryAfterIsALowerBound verifies that a retry waits at least for Retry-After, and that retries of the same
// Retry-After are spread.
func TestRetryAfterIsALowerBound(t *testing.T) {
	for _, c := range []struct{ asked, least, most time.Duration }{
		{time.Second, 2500 * time.Millisecond, 5 * time.Second}, // the schedule is longer
		{10 * time.Minute, 10 * time.Minute, 11 * time.Minute},
		{23 * time.Hour, 23 * time.Hour, 24 * time.Hour},
		{24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
		{240 * time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		a := status(429)
		a.RetryAfter = c.asked
		least, most := bounds(t, DefaultRetry(), a, 1)
		if least < c.least || most > c.most || (c.least < c.most && least == most) {
			t.Errorf("Retry-After %s: got %s … %s", c.asked, least, most)
		}
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{72 * time.Hour: "72h", 90 * time.Minute: "1h30m",
		10 * time.Minute: "10m", 10 * time.Second: "10s", 100 * time.Millisecond: "100ms",
		time.Hour + 10*time.Second: "1h0m10s"} {
		if got := brief(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
