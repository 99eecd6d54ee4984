package bodies

import "strconv"

// person is a subscriber, of whom all is known by the number.
type person struct {
	number      uint64
	first, last name
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

func (s Source) person(number uint64) (p person, d dice) {
	d = throw(s.seed, 1, number)
	p.number = number
	switch kind := d.upTo(100); {
	case kind < 42:
		p.first, p.last, p.female = women[d.upTo(len(women))], surnames[d.upTo(len(surnames))], true
	case kind < 75:
		p.first, p.last = men[d.upTo(len(men))], surnames[d.upTo(len(surnames))]
	default:
		p.first, p.last = latinNames[d.upTo(len(latinNames))], latinSurnames[d.upTo(len(latinSurnames))]
	}
	switch kind := d.upTo(100); {
	case kind < 62:
		p.channel = telegram
	case kind < 88:
		p.channel = vk
	default:
		p.channel = facebook
	}
	p.id = p.channel.smallest + d.next()%(p.channel.ids-p.channel.smallest)
	if d.percent(70) {
		p.phone = []string{"+79", "+79", "+79", "+770", "+37529", "+4479", "+1415"}[d.upTo(7)]
	}
	p.mail, p.utm = d.percent(50), d.percent(50)
	p.created = int64(d.early(90 * 24 * 3600))
	return p, d
}

func (p *person) appendLast(dst []byte) []byte {
	dst = append(dst, p.last.text...)
	if p.female {
		dst = append(dst, "а"...)
	}
	return dst
}

// appendHandle is how the person is called where only Latin letters are taken.
func (p *person) appendHandle(dst []byte, d *dice) []byte {
	switch d.upTo(4) {
	case 0:
		dst = append(append(append(dst, p.first.latin...), '_'), p.last.latin...)
	case 1:
		dst = append(append(append(dst, p.last.latin...), '.'), p.first.latin[0])
	case 2:
		dst = append(append(dst, p.first.latin...), p.last.latin[:3]...)
	default:
		dst = append(dst, p.last.latin...)
	}
	if d.percent(60) {
		dst = strconv.AppendInt(dst, int64(d.upTo(9999)), 10)
	}
	return dst
}
