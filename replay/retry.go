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

// RetryPolicy says whether and when a failed attempt is made again.
type RetryPolicy struct {
	// Schedule has the delays between attempts. The last one is repeated if MaxAttempts asks for more. Each is shortened by
	// up to 50 % random jitter, so that deliveries that failed together do not come back together.
	Schedule []time.Duration `yaml:"schedule"`
	// MaxAttempts is the most attempts altogether. 0 is one more than the schedule has steps.
	MaxAttempts int `yaml:"max_attempts"`
	// MaxAge is how old a delivery may be at another attempt; 0 is any age. The first attempt is made at any age: what
	// has waited for an endpoint to come back is not given up untried.
	MaxAge time.Duration `yaml:"max_age"`
	// On are the results that are tried again: no_answer, a status such as 429, a class of them such as 5xx.
	On []string `yaml:"-"`
}

// RetryNoAnswer in RetryPolicy.On stands for everything that is not a whole answer, a name that leads to a forbidden address included:
// it may lead elsewhere later, and the configuration may allow the address.
const RetryNoAnswer = "no_answer"

// DefaultRetry tries for about a day, and only what may work another time.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{
		Schedule: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
			time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour},
		On: []string{RetryNoAnswer, "408", "425", "429", "5xx"},
	}
}

// Next says what follows the attempts-th attempt, which got a, of a delivery that is age old: another one after delay,
// or none and why. A Retry-After is waited for, up to a day; a tenth of it is added by chance.
func (p RetryPolicy) Next(a outbound.Answer, attempts uint32, age time.Duration) (delay time.Duration, again bool, why string) {
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

// final says why a result is not tried again; empty when it is.
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
	f.Unless(len(p.Schedule) > 0, "retry.schedule", "must have a step; max_attempts: 1 is what makes one attempt only")
	for i, step := range p.Schedule {
		f.Unless(step > 0, fmt.Sprintf("retry.schedule[%d]", i), "must be more than 0")
	}
	f.Unless(p.MaxAttempts >= 0 && p.MaxAttempts <= math.MaxUint16, "retry.max_attempts", "must lie between 1 and %d", math.MaxUint16)
	f.Unless(p.MaxAge >= 0, "retry.max_age", "must not be negative")
	for i, on := range p.On {
		f.Unless(on == RetryNoAnswer || isFailure(on), fmt.Sprintf("retry_on[%d]", i), "%q must be no_answer, a status such as 429, or a class such as 5xx", on)
	}
}

// isFailure tells whether a word is a status, or a class of them, that does not say yes.
func isFailure(word string) bool {
	if class, ok := strings.CutSuffix(word, "xx"); ok {
		word = class + "00"
	}
	status, err := strconv.Atoi(word)
	return err == nil && len(word) == 3 && status >= 100 && status <= 599 && status/100 != 2
}

// brief writes a duration without its zeros: 72h rather than 72h0m0s.
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
