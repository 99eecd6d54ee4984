package bodies

import (
	"strconv"
	"time"

	"hooktape/simulate/people"
)

// Source makes the bodies of one seed.
type Source struct {
	seed   uint64
	people uint64 // 0: ever new ones
}

// New returns the source of a seed.
func New(seed uint64) Source { return Source{seed: seed} }

// Among makes all webhooks those of so many subscribers, each of whom has many then.
func (s Source) Among(people uint64) Source {
	s.people = people
	return s
}

// eventsEach is how many webhooks a subscriber sets off, on average, and among how many of the latest subscribers' they lie:
// most too far apart for a compressor to find them.
const (
	eventsEach = 2
	mixing     = 20_000
)

// start and pace give the numbers their times: a month for a million.
var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Unix()

const pace = 2600 * time.Millisecond

// Step is the step of the bot whose webhook the number-th request is.
func (s Source) Step(number uint64) string {
	d := people.Throw(s.seed, 3, number)
	return steps[d.Early(len(steps))]
}

// Append appends the body of the number-th request. No other has the same, for each has a number of its own in it.
func (s Source) Append(dst []byte, number uint64) []byte {
	d := people.Throw(s.seed, 2, number)
	p, own := s.person(s.who(number, &d))
	now := start + int64(time.Duration(number)*pace/time.Second)
	created := now - p.created
	seen := now - int64(d.Early(600))

	dst = appendInt(append(dst, `{"created_at":`...), created)
	dst = append(append(dst, `,"name":"`...), p.first.Text...)
	dst = p.appendLast(append(dst, ' '))
	dst = append(append(dst, `","first_name":"`...), p.first.Text...)
	dst = p.appendLast(append(dst, `","last_name":"`...))
	dst = append(append(dst, `","profile_link":"`...), p.channel.link...)
	handle := p.appendHandle(make([]byte, 0, 48), &own)
	if p.channel == telegram {
		dst = append(dst, handle...)
	} else {
		dst = strconv.AppendUint(dst, p.id, 10)
	}
	dst = p.appendContacts(append(dst, '"'), &own)
	dst = appendInt(append(dst, `,"conversations_count":`...), int64(1+d.Early(12)))
	dst = appendInt(append(dst, `,"first_contact_at":`...), created+int64(own.UpTo(5)))
	dst = appendInt(append(dst, `,"last_contact_at":`...), seen)
	dst = strconv.AppendUint(append(dst, `,"user_id":"`...), p.id, 10)
	if p.channel == telegram {
		dst = append(append(append(dst, `","messenger_username":"`...), handle...), '"')
	} else {
		dst = append(dst, `","messenger_username":null`...)
	}
	dst = strconv.AppendUint(append(dst, `,"bothelp_user_id":"`...), 47_000+p.number, 10)
	dst = time.Unix(created, 0).UTC().AppendFormat(append(dst, `","created_at_show":"`...), "02/01/2006 15:04:05 UTC")
	dst = strconv.AppendUint(append(dst, `","cuid":"`...), 47_000+p.number, 36)
	dst = appendInt(append(dst, '.'), int64(own.UpTo(999)))
	dst = p.appendUTM(append(dst, '"'), &own)
	dst = appendFields(dst, &d)
	return append(strconv.AppendUint(append(dst, `,"Заказ":"`...), 1_000_000+number, 10), `"}`...)
}

// who is the subscriber who sets off the number-th webhook.
func (s Source) who(number uint64, d *people.Dice) uint64 {
	who := mixing + number/eventsEach - uint64(d.Early(mixing))
	if s.people > 0 {
		return who % s.people
	}
	return who
}

func (p *person) appendContacts(dst []byte, own *people.Dice) []byte {
	if p.mail {
		dst = p.appendHandle(append(dst, `,"email":"`...), own)
		dst = append(append(append(dst, '@'), people.MailHosts[own.Early(len(people.MailHosts))]...), '"')
	} else {
		dst = append(dst, `,"email":null`...)
	}
	if p.phone == "" {
		return append(dst, `,"phone":null`...)
	}
	dst = append(append(dst, `,"phone":"`...), p.phone...)
	for range 12 - len(p.phone) {
		dst = append(dst, '0'+byte(own.UpTo(10)))
	}
	return append(dst, '"')
}

func (p *person) appendUTM(dst []byte, own *people.Dice) []byte {
	if !p.utm {
		return append(dst, `,"ref":null`...)
	}
	dst = appendInt(append(dst, `,"ref":"c`...), int64(own.Early(60)))
	dst = append(append(dst, `","utm_source":"`...), utmSources[own.Early(len(utmSources))]...)
	dst = append(append(dst, `","utm_medium":"`...), utmMediums[own.Early(len(utmMediums))]...)
	dst = append(append(dst, `","utm_campaign":"`...), utmCampaigns[own.Early(len(utmCampaigns))]...)
	dst = appendInt(append(dst, `","utm_content":"`...), 7_312_000_000+int64(own.Early(400))*7919)
	return append(append(append(dst, `","utm_term":"`...), utmTerms[own.Early(len(utmTerms))]...), '"')
}

// appendFields appends some of the account's own fields.
func appendFields(dst []byte, d *people.Dice) []byte {
	if d.Percent(50) {
		dst = appendInt(append(dst, `,"Подписка":"`...), int64(d.UpTo(2)))
		dst = append(dst, '"')
	}
	if d.Percent(15) {
		dst = append(append(append(dst, `,"Город":"`...), people.Cities[d.Early(len(people.Cities))]...), '"')
	}
	if d.Percent(15) {
		dst = append(append(append(dst, `,"Доп данные":"`...), people.Answers[d.Early(len(people.Answers))]...), '"')
	}
	if d.Percent(15) {
		dst = append(appendInt(append(dst, `,"age":"`...), int64(18+d.UpTo(45))), '"')
		dst = append(append(append(dst, `,"position":"`...), people.Jobs[d.Early(len(people.Jobs))]...), '"')
	}
	return dst
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
