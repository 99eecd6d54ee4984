package simulate

import (
	"strconv"

	"hooktape/internal/simulate/people"
)

// person has the constant data of a subscriber.
type person struct {
	number             uint64
	channel            *channel
	first, last        people.Name
	female             bool
	handle, mail       string
	phone, otherPhone  string
	id                 uint64 // in the messenger
	city               string
	sinceDays          int64 // before the first visit, except for a newcomer
	quotes, nulls, ref bool  // how the account's bodies write numbers and absent values for this one
}

// firstID is the smallest bothelp_user_id.
const firstID = 1_000_000

func (a *Account) person(l *life) (p person) {
	d := people.Throw(a.Seed, streamPeople, l.number)
	p.number, p.channel = l.number, &channels[l.channel]
	switch kind := d.UpTo(100); {
	case kind < 46:
		p.first = pick(&d, people.Women)
		p.last = pick(&d, people.Surnames)
		p.female = true
	case kind < 82:
		p.first, p.last = pick(&d, people.Men), pick(&d, people.Surnames)
	default:
		p.first = pick(&d, people.LatinNames)
		p.last = pick(&d, people.LatinSurnames)
	}
	p.handle = p.first.Latin + "_" + p.last.Latin + strconv.Itoa(d.UpTo(9999))
	p.mail = p.last.Latin + "." + p.first.Latin[:1] + strconv.FormatUint(l.number%100_000,
		10) + "@" + people.MailHosts[d.Early(len(people.MailHosts))]
	p.id = p.channel.smallest + d.Next()%p.channel.ids
	p.phone, p.otherPhone = phone(&d), phone(&d)
	if p.channel.phone {
		p.phone = "+" + strconv.FormatUint(p.id, 10)
	}
	p.city = people.Cities[d.Early(len(people.Cities))]
	if l.old {
		p.sinceDays = int64(20 + d.UpTo(700))
	}
	p.quotes, p.nulls, p.ref = d.Percent(50), d.Percent(60), d.Percent(40)
	return p
}

func pick[T any](d *people.Dice, list []T) T { return list[d.UpTo(len(list))] }

func phone(d *people.Dice) string {
	countries := [...]string{"+79", "+79", "+79", "+79", "+770", "+37529"}
	number := []byte(countries[d.UpTo(len(countries))])
	for len(number) < 12 {
		number = append(number, '0'+byte(d.UpTo(10)))
	}
	return string(number)
}

func (p *person) appendLast(dst []byte) []byte {
	dst = append(dst, p.last.Text...)
	if p.female {
		dst = append(dst, "а"...)
	}
	return dst
}

func (p *person) appendName(dst []byte) []byte {
	return p.appendLast(append(append(dst, p.first.Text...), ' '))
}

func (p *person) appendLink(dst []byte) []byte {
	dst = append(dst, p.channel.link...)
	switch {
	case p.channel.handle:
		return append(dst, p.handle...)
	case p.channel.phone:
		return append(dst, p.phone[1:]...)
	}
	return strconv.AppendUint(dst, p.id, 10)
}
