package simulate

import (
	"strconv"
	"time"

	"hooktape/internal/simulate/people"
)

// Webhooks makes flow webhooks for load tests, about 600 bytes each. A body follows from the seed and its number, and
// no two are equal, so a test can compare results with the sent bodies without keeping them. It may be used from many
// goroutines.
type Webhooks struct {
	account *Account
	people  uint64 // 0: ever new ones
}

// NewWebhooks returns the webhooks of a seed.
func NewWebhooks(seed uint64) Webhooks {
	return Webhooks{account: &Account{Options: Options{Seed: seed}}}
}

// Among returns the webhooks of a limited number of subscribers, each with many webhooks.
func (w Webhooks) Among(people uint64) Webhooks {
	w.people = people
	return w
}

const (
	// webhooksEach is how many webhooks a subscriber sends on average. They lie among those of mixing other
	// subscribers, most of them too far apart for a compressor to find them.
	webhooksEach = 2
	mixing       = 20_000
	// webhookPace is the time between two webhooks: a month for a million.
	webhookPace = 2600 * time.Millisecond
)

var firstWebhook = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// visit returns who makes the webhook of a number, and the visit that it is.
func (w Webhooks) visit(number uint64) (l life, v visit) {
	d := people.Throw(w.account.Seed, streamWebhooks, number)
	l.number = mixing + number/webhooksEach - uint64(d.Early(mixing))
	if w.people > 0 {
		l.number %= w.people
	}
	own := people.Throw(w.account.Seed, streamLives, l.number)
	l.channel = pickChannel(&own)
	v = visit{at: firstWebhook.Add(time.Duration(number) * webhookPace).UnixMicro(), key: uint8(number),
		flow: uint8(d.UpTo(len(flows))), mail: own.Percent(50), phone: own.Percent(70), talks: uint16(1 + d.Early(3))}
	if own.Percent(50) {
		v.touch = pickCampaign(l.channel, &own)
	}
	v.step = uint8(d.Early(len(flows[v.flow].steps)))
	return l, v
}

// Step returns the step of the flow that the webhook of a number names.
func (w Webhooks) Step(number uint64) string {
	_, v := w.visit(number)
	return stepOf(&v)
}

// Append appends the body of the webhook of a number.
func (w Webhooks) Append(dst []byte, number uint64) []byte {
	l, v := w.visit(number)
	p := w.account.person(&l)
	p.quotes = true // the receivers of load tests look for the subscriber in quotes
	l.visits = []visit{{at: v.at - int64(p.id%90)*day}}
	dst = w.account.appendFlow(dst, &p, &l, &v)
	dst = append(dst[:len(dst)-1], `,"Заказ":"`...)
	return append(strconv.AppendUint(dst, 1_000_000+number, 10), `"}`...)
}
