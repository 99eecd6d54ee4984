package simulate

import (
	"cmp"
	"slices"

	"hooktape/internal/event"
	"hooktape/internal/simulate/people"
)

// A life has all visits of one subscriber in the history. It follows from the seed and the number alone, so it is
// computed again whenever a part of it is needed, and never stored.
type life struct {
	number  uint64
	channel int
	old     bool // came to the account long before the history
	quality int  // of 100, of the person alone
	touches []uint8
	visits  []visit // in order of time
	next    uint8   // the key of the next visit
}

// visit is a thing that a subscriber does, or BotHelp on the subscriber's behalf, and that is one request.
type visit struct {
	at     int64 // Unix microseconds
	key    uint8 // its name within the life
	of     uint8 // the key of the visit whose request this one repeats; its own if it repeats none
	flow   uint8
	step   uint8 // of the flow; the kind of chat event, or of stranger
	touch  uint8 // the campaign whose tags the subscriber has by now
	damage damage
	mail   bool // e-mail and phone are known by now
	phone  bool
	moved  bool // the phone is another than it was
	paid   uint8
	talks  uint16 // conversations_count
	said   int64  // of a chat event, its own time in Unix seconds
}

// damage is a fault in a body.
type damage uint8

const (
	whole       damage = iota
	empty              // no body at all
	noJSON             // an error page
	cut                // ends after the id of the subscriber
	wordCount          // conversations_count is a word
	wordCreated        // created_at is a word
	damages     = iota
)

// Chat events, by their steps.
const (
	closed = iota
	viewed
)

// Strangers, by their steps.
const (
	wrongToken = iota
	wrongSource
	wrongMethod
	wrongSignature
	strangers = iota
)

const (
	strangerEach = 150 // subscribers for one stranger's request
	mostVisits   = 200
	gap          = 2 * second // between two visits of a subscriber
)

// live fills l with the life of a number. Its slices are used again.
func (a *Account) live(l *life, number uint64) {
	d := people.Throw(a.Seed, streamLives, number)
	*l = life{number: number, touches: l.touches[:0], visits: l.visits[:0]}
	at := a.calendar.arrival(number, uint64(a.Subscribers), &d)
	l.channel = pickChannel(&d)
	l.old = d.Percent(14)
	l.quality = 78 + d.UpTo(45)

	now := visit{at: at, touch: pickCampaign(l.channel, &d), talks: 1, phone: channels[l.channel].phone}
	if l.old {
		now.talks += uint16(d.Early(12))
	}
	if number%strangerEach == strangerEach/2 {
		a.addStranger(l, at, &d)
	}
	f := course
	if d.Percent(38) {
		f = webinar
	}
	reached := a.run(l, &now, f, 0, &d)
	a.talk(l, now, &d)
	for d.Percent(78) && len(l.visits) < mostVisits {
		now.at += a.pause(wait{4 * day, 480}, &d)
		if !a.Even {
			now.at = awake(now.at, &d)
		}
		if now.at >= a.until {
			break
		}
		now.talks++
		if d.Percent(35) {
			now.touch = pickCampaign(l.channel, &d)
		}
		if now.phone && d.Percent(4) {
			now.moved = !now.moved
		}
		switch kind := d.UpTo(100); {
		case kind < 40 && reached+1 < len(flows[f].steps): // continues the flow
			reached = a.run(l, &now, f, reached, &d)
		case kind < 70:
			reached = a.run(l, &now, f, 0, &d)
		default:
			f = 1 - f
			reached = a.run(l, &now, f, 0, &d)
		}
		a.talk(l, now, &d)
	}
	a.settle(l)
}

// run takes the subscriber through a flow, from a step to where interest ends, and returns the last step reached.
func (a *Account) run(l *life, now *visit, f, from int, d *people.Dice) int {
	steps := flows[f].steps
	worth := campaigns[now.touch].quality * channels[l.channel].quality * l.quality // of 100³
	now.flow = uint8(f)
	for s := from; ; s++ {
		now.step = uint8(s)
		if s == flows[f].mail && d.Percent(flows[f].givesContact) {
			now.mail = true
		}
		if s == flows[f].phone && d.Percent(flows[f].givesContact) {
			now.phone = true
		}
		if s == flows[f].paid {
			now.paid |= 1 << f
		}
		if s == 0 || !d.Percent(3) { // else the step's webhook is passed by
			l.add(*now, whole)
			if d.UpTo(1000) < 4 {
				l.visits[len(l.visits)-1].damage = 1 + damage(d.UpTo(damages-1))
			}
			if d.Percent(5) { // the button is pressed again
				now.at += a.pause(wait{40 * second, 300}, d)
				l.add(*now, whole)
			}
		}
		if s+1 == len(steps) || d.UpTo(1000) >= min(steps[s+1].pass*worth/1_000_000, 960) ||
			len(l.visits) >= mostVisits {
			return s
		}
		now.at += a.pause(steps[s+1].wait, d)
		if !a.Even {
			now.at = awake(now.at, d)
		}
	}
}

// talk is a conversation with an operator: chat events, which BotHelp may send several times.
func (a *Account) talk(l *life, now visit, d *people.Dice) {
	if !d.Percent(42) || len(l.visits) >= mostVisits {
		return
	}
	now.flow, now.at = chat, now.at+a.pause(wait{6 * minute, 500}, d)
	for range d.Early(4) {
		a.addChat(l, now, viewed, d)
		now.at += a.pause(wait{3 * minute, 350}, d)
	}
	if d.Percent(80) {
		a.addChat(l, now, closed, d)
	}
}

func (a *Account) addChat(l *life, now visit, kind uint8, d *people.Dice) {
	now.step = kind
	first := l.add(now, whole)
	if !d.Percent(3) {
		return
	}
	for range 1 + d.UpTo(3) {
		now.at += a.pause(wait{20 * second, 200}, d)
		l.add(now, whole)
		l.visits[len(l.visits)-1].of = first
	}
}

func (a *Account) addStranger(l *life, at int64, d *people.Dice) {
	v := visit{at: at + int64(d.UpTo(int(hour))), flow: stranger, step: uint8(d.UpTo(strangers))}
	if v.step == wrongSignature && a.ChatSigningToken == "" {
		v.step = wrongToken
	}
	l.add(v, whole)
}

func (l *life) add(v visit, bad damage) (key uint8) {
	v.key, v.of, v.damage = l.next, l.next, bad
	l.next++
	l.visits = append(l.visits, v)
	return v.key
}

func (a *Account) pause(w wait, d *people.Dice) int64 { return max(gap, w.draw(d)) / a.Speed }

// settle puts the visits in order, none at the time of another, and leaves out those after the history's end.
func (a *Account) settle(l *life) {
	slices.SortFunc(l.visits, func(v, w visit) int {
		return cmp.Or(cmp.Compare(v.at, w.at), cmp.Compare(v.key, w.key))
	})
	for i := range l.visits {
		v := &l.visits[i]
		if i > 0 {
			v.at = max(v.at, l.visits[i-1].at+max(gap/a.Speed, 1))
		}
		if v.at >= a.until {
			l.visits = l.visits[:i]
			break
		}
		if v.flow != chat {
			continue
		}
		v.said = v.at/second - 1
		if v.of != v.key {
			v.said = l.find(v.of).said
		}
	}
}

// find returns the visit of a key, which comes before those that repeat it.
func (l *life) find(key uint8) *visit {
	for i := range l.visits {
		if l.visits[i].key == key {
			return &l.visits[i]
		}
	}
	return nil
}

// What a decoder should find in the request of a visit:

func (v *visit) verdict() event.Verdict {
	if v.flow != stranger {
		return event.Accepted
	}
	switch v.step {
	case wrongSource:
		return event.UnknownSource
	case wrongMethod:
		return event.MethodNotAllowed
	case wrongSignature:
		return event.BadSignature
	}
	return event.BadToken
}

func (v *visit) kind() event.Kind {
	switch {
	case v.flow == stranger || v.nobody():
		return event.KindUnknown
	case v.flow == chat && v.step == viewed:
		return event.KindUserProfileViewed
	case v.flow == chat:
		return event.KindConversationClosed
	}
	return event.KindFlow
}

// nobody reports whether the request has no subscriber.
func (v *visit) nobody() bool { return v.flow == stranger || v.damage == empty || v.damage == noJSON }

func (v *visit) isFlow() bool { return v.flow < chat && !v.nobody() }

func (v *visit) repeats() bool { return v.of != v.key }

// tags are those that can be read from the request.
func (v *visit) tags() *campaign {
	if !v.isFlow() || v.damage == cut {
		return untagged
	}
	return &campaigns[v.touch]
}
