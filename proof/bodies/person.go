package bodies

import (
	"strconv"

	"hooktape/simulate/people"
)

// person is a subscriber, of whom all is known by the number.
type person struct {
	number      uint64
	first, last people.Name
	female      bool // takes the ending of a surname
	channel     channel
	phone       string // its country's part; empty: not given
	mail        bool
	id          uint64 // in the messenger
	created     int64  // seconds before the first event
	utm         bool
}

type channel struct {
	link     string
	ids      uint64 // the messenger's are below
	smallest uint64
}

var (
	telegram = channel{"https://t.me/", 7_500_000_000, 100_000_000}
	vk       = channel{"https://vk.com/id", 860_000_000, 1_000_000}
	facebook = channel{"https://fb.com/", 9_999_999_999_999_999, 1_000_000_000_000_000}
)

func (s Source) person(number uint64) (p person, d people.Dice) {
	d = people.Throw(s.seed, 1, number)
	p.number = number
	switch kind := d.UpTo(100); {
	case kind < 42:
		p.first, p.last, p.female = people.Women[d.UpTo(len(people.Women))], people.Surnames[d.UpTo(len(people.Surnames))], true
	case kind < 75:
		p.first, p.last = people.Men[d.UpTo(len(people.Men))], people.Surnames[d.UpTo(len(people.Surnames))]
	default:
		p.first, p.last = people.LatinNames[d.UpTo(len(people.LatinNames))], people.LatinSurnames[d.UpTo(len(people.LatinSurnames))]
	}
	switch kind := d.UpTo(100); {
	case kind < 62:
		p.channel = telegram
	case kind < 88:
		p.channel = vk
	default:
		p.channel = facebook
	}
	p.id = p.channel.smallest + d.Next()%(p.channel.ids-p.channel.smallest)
	if d.Percent(70) {
		p.phone = []string{"+79", "+79", "+79", "+770", "+37529", "+4479", "+1415"}[d.UpTo(7)]
	}
	p.mail, p.utm = d.Percent(50), d.Percent(50)
	p.created = int64(d.Early(90 * 24 * 3600))
	return p, d
}

func (p *person) appendLast(dst []byte) []byte {
	dst = append(dst, p.last.Text...)
	if p.female {
		dst = append(dst, "а"...)
	}
	return dst
}

// appendHandle is how the person is called where only Latin letters are taken.
func (p *person) appendHandle(dst []byte, d *people.Dice) []byte {
	switch d.UpTo(4) {
	case 0:
		dst = append(append(append(dst, p.first.Latin...), '_'), p.last.Latin...)
	case 1:
		dst = append(append(append(dst, p.last.Latin...), '.'), p.first.Latin[0])
	case 2:
		dst = append(append(dst, p.first.Latin...), p.last.Latin[:3]...)
	default:
		dst = append(dst, p.last.Latin...)
	}
	if d.Percent(60) {
		dst = strconv.AppendInt(dst, int64(d.UpTo(9999)), 10)
	}
	return dst
}
