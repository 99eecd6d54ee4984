package simulate

import (
	"strconv"
	"time"

	"hooktape/internal/simulate/people"
)

// appendFlow appends the body of a flow webhook: the subscriber as BotHelp knows it at that moment.
func (a *Account) appendFlow(dst []byte, p *person, l *life, v *visit) []byte {
	switch v.damage {
	case empty:
		return dst
	case noJSON:
		return append(dst, "<html><head><title>504 Gateway Time-out</title></head></html>\n"...)
	}
	d := people.Throw(a.Seed, streamBodies, l.number<<8|uint64(v.key))
	seen := v.at/second - int64(d.Early(20))
	created := l.visits[0].at/second - p.sinceDays*86400 - 30
	if v.damage == wordCreated {
		dst = append(dst, `{"created_at":"вчера"`...)
	} else {
		dst = strconv.AppendInt(append(dst, `{"created_at":`...), created, 10)
	}
	dst = append(p.appendName(append(dst, `,"name":"`...)), '"')
	dst = append(append(append(dst, `,"first_name":"`...), p.first.Text...), '"')
	dst = append(p.appendLast(append(dst, `,"last_name":"`...)), '"')
	dst = append(p.appendLink(append(dst, `,"profile_link":"`...)), '"')
	dst = p.appendOptional(dst, "email", p.mail, v.mail)
	number := p.phone
	if v.moved {
		number = p.otherPhone
	}
	dst = p.appendOptional(dst, "phone", number, v.phone)
	if v.damage == wordCount {
		dst = append(dst, `,"conversations_count":"много"`...)
	} else {
		dst = p.appendNumber(append(dst, `,"conversations_count":`...), uint64(v.talks))
	}
	dst = strconv.AppendInt(append(dst, `,"first_contact_at":`...), created+1, 10)
	dst = strconv.AppendInt(append(dst, `,"last_contact_at":`...), seen, 10)
	if dst = append(dst, `,"user_id":`...); p.channel.numericID {
		dst = strconv.AppendUint(dst, p.id, 10)
	} else {
		dst = append(strconv.AppendUint(append(dst, '"'), p.id, 10), '"')
	}
	dst = p.appendOptional(dst, "messenger_username", p.handle, p.channel.handle)
	dst = p.appendNumber(append(dst, `,"bothelp_user_id":`...), firstID+p.number)
	dst = time.Unix(created, 0).UTC().AppendFormat(append(dst, `,"created_at_show":"`...), "02/01/2006 15:04")
	if v.damage == cut {
		return dst
	}
	dst = strconv.AppendUint(append(dst, `:00 UTC","cuid":"`...), firstID+p.number, 36)
	dst = append(strconv.AppendUint(append(dst, '.'), p.id%1000, 10), '"')
	dst = p.appendTags(dst, &campaigns[v.touch])
	dst = p.appendFields(dst, v, &d)
	return append(dst, '}')
}

// appendNumber writes a number as this subscriber's bodies do: bare, or as a string.
func (p *person) appendNumber(dst []byte, n uint64) []byte {
	if !p.quotes {
		return strconv.AppendUint(dst, n, 10)
	}
	return append(strconv.AppendUint(append(dst, '"'), n, 10), '"')
}

// appendOptional writes a value that may be absent: then it is null, or not there at all.
func (p *person) appendOptional(dst []byte, key, value string, there bool) []byte {
	switch {
	case there:
		dst = append(append(append(dst, `,"`...), key...), `":"`...)
		return append(append(dst, value...), '"')
	case p.nulls:
		return append(append(append(dst, `,"`...), key...), `":null`...)
	}
	return dst
}

func (p *person) appendTags(dst []byte, c *campaign) []byte {
	dst = p.appendOptional(dst, "ref", "c"+strconv.FormatUint(p.number%60, 10), p.ref)
	dst = p.appendOptional(dst, "utm_source", c.source, c.source != "")
	dst = p.appendOptional(dst, "utm_medium", c.medium, c.medium != "")
	dst = p.appendOptional(dst, "utm_campaign", c.name, c.name != "")
	dst = p.appendOptional(dst, "utm_content", strconv.FormatUint(7_312_000_000+p.number%240*7919, 10), c.clean)
	return p.appendOptional(dst, "utm_term", terms[p.number%uint64(len(terms))], c.clean && p.number%3 == 0)
}

// appendFields appends the account's own fields, which fill and change as the subscriber goes on.
func (p *person) appendFields(dst []byte, v *visit, d *people.Dice) []byte {
	subscribed := `"1"`
	if v.talks > 4 && p.number%5 == 0 {
		subscribed = `"0"` // had enough
	}
	dst = append(append(dst, `,"Подписка":`...), subscribed...)
	if v.step > 0 || v.talks > 1 {
		dst = append(append(append(dst, `,"Город":"`...), p.city...), '"')
	}
	if f := &flows[v.flow]; v.paid&(1<<v.flow) != 0 {
		dst = append(dst, `,"Доп данные":"оплатила"`...)
		dst = append(strconv.AppendInt(append(dst, `,"Сумма":"`...), int64(f.price), 10), '"')
	} else if v.talks > 1 {
		dst = append(append(append(dst, `,"Доп данные":"`...), people.Answers[1+d.Early(len(people.Answers)-1)]...),
			'"')
	}
	return dst
}

// appendChat appends the body of a chat webhook; one that repeats another is the same.
func (p *person) appendChat(dst []byte, v *visit) []byte {
	if v.step == viewed {
		dst = append(dst, `{"event":"user_profile_viewed"`...)
	} else {
		dst = append(dst, `{"event":"conversation_closed"`...)
	}
	dst = strconv.AppendInt(append(dst, `,"event_timestamp":`...), v.said, 10)
	dst = strconv.AppendUint(append(dst, `,"conversation":{"id":"c-`...), p.number, 10)
	dst = strconv.AppendUint(append(dst, '-'), uint64(v.of), 10)
	dst = strconv.AppendUint(append(dst, `","subscriber":{"bothelp_user_id":"`...), firstID+p.number, 10)
	dst = strconv.AppendUint(append(dst, `","user_id":"`...), p.id, 10)
	dst = p.appendName(append(dst, `","name":"`...))
	return append(dst, `"}}}`...)
}
