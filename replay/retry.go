package replay

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/setting"
)

// RetryPolicy says whether and when a failed attempt is retried.
type RetryPolicy struct {
	// Schedule has the delays between attempts. The last one is repeated if MaxAttempts asks for more. Random jitter
	// shortens each by up to 50 %, so that deliveries that failed together are not retried together.
	Schedule []time.Duration `yaml:"schedule"`
	// MaxAttempts is the maximum number of attempts. 0 is one more than the schedule has steps.
	MaxAttempts int `yaml:"max_attempts"`
	// MaxAge is the maximum age of a delivery at a retry; 0 means no limit. The first attempt is made at any age,
	// because a delivery may have waited for the endpoint to recover.
	MaxAge time.Duration `yaml:"max_age"`
	// On has the results that are retried: no_answer, a status such as 429, or a class such as 5xx.
	On []string `yaml:"-"`
}

// RetryNoAnswer in RetryPolicy.On matches every attempt without a complete answer. It includes a name that resolves to
// a forbidden address: it may resolve to another one later, or the configuration may allow the address.
const RetryNoAnswer = "no_answer"

// DefaultRetry returns a policy that retries for about a day, and only results that may change.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{
		Schedule: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
			time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour},
		On: []string{RetryNoAnswer, "408", "425", "429", "5xx"},
	}
}

// Next returns what follows attempt number attempts, with answer a, of a delivery of the given age: another attempt
// after delay, or none and why. The delay is at least the answer's Retry-After, with up to 10 % random jitter, and at
// most a day.
func (p RetryPolicy) Next(a outbound.Answer, attempts uint32, age time.Duration) (delay time.Duration, again bool,
	why string) {
	if why := p.final(a); why != "" {
		return 0, false, why
	}
	if int64(attempts) >= int64(cmp.Or(p.MaxAttempts, len(p.Schedule)+1)) {
		if attempts == 1 {
			return 0, false, "gave up after 1 attempt"
		}
		return 0, false, fmt.Sprintf("gave up after %d attempts", attempts)
	}
	delay = p.Schedule[min(max(int(attempts), 1), len(p.Schedule))-1]
	delay -= rand.N(delay/2 + 1)
	if a.RetryAfter > 0 {
		delay = max(delay, min(a.RetryAfter+rand.N(a.RetryAfter/10+1), outbound.MaxRetryAfter))
	}
	if p.MaxAge > 0 && age+delay > p.MaxAge {
		return 0, false, "gave up: older than " + brief(p.MaxAge) + " by the next attempt"
	}
	return delay, true, ""
}

// final returns why a result is not retried, or "" if it is.
func (p RetryPolicy) final(a outbound.Answer) string {
	switch a.Outcome {
	case event.OutcomeDelivered:
		return "it is delivered"
	case event.OutcomeImpossible:
		return "that is not tried again"
	case event.OutcomeStatus:
		status := strconv.Itoa(int(a.Status))
		if !slices.Contains(p.On, status) && !slices.Contains(p.On, status[:1]+"xx") {
			return status + " is not tried again"
		}
	default:
		if !slices.Contains(p.On, RetryNoAnswer) {
			return "what gets no answer is not tried again"
		}
	}
	return ""
}

func (p RetryPolicy) validate(f *setting.Faults) {
	f.Unless(len(p.Schedule) > 0, "retry.schedule", "must have a step; for only one attempt set max_attempts to 1")
	for i, step := range p.Schedule {
		f.Unless(step > 0, fmt.Sprintf("retry.schedule[%d]", i), "must be more than 0")
	}
	f.Unless(p.MaxAttempts >= 0 && p.MaxAttempts <= math.MaxUint16, "retry.max_attempts", "must be between 1 and %d",
		math.MaxUint16)
	f.Unless(p.MaxAge >= 0, "retry.max_age", "must not be negative")
	for i, on := range p.On {
		f.Unless(on == RetryNoAnswer || isFailure(on), fmt.Sprintf("retry_on[%d]", i),
			"%q must be no_answer, a status such as 429, or a class such as 5xx", on)
	}
}

// isFailure reports whether a word is a status other than 2xx, or a class of them.
func isFailure(word string) bool {
	if class, ok := strings.CutSuffix(word, "xx"); ok {
		word = class + "00"
	}
	status, err := strconv.Atoi(word)
	return err == nil && len(word) == 3 && status >= 100 && status <= 599 && status/100 != 2
}

// brief formats a duration without trailing zeros: 72h, not 72h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
