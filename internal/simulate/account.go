package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/simulate/people"
)

// Account is a simulated BotHelp account. It may be used from many goroutines.
type Account struct {
	Options
	calendar *calendar
	until    int64
	sources  [4]string // by flow
}

// New makes an account; the options must be valid.
func New(o Options) (*Account, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Account{Options: o, calendar: newCalendar(o), until: o.Until.UnixMicro(),
		sources: [4]string{o.Sources.Course, o.Sources.Webinar, o.Sources.Chat, o.Sources.Course}}, nil
}

// unknownSource is where a mistyped URL leads.
const unknownSource = "kurs"

func (a *Account) sourceOf(v *visit) string {
	if v.flow == stranger && v.step == wrongSource {
		return unknownSource
	}
	if v.flow == stranger && v.step == wrongSignature {
		return a.sources[chat]
	}
	return a.sources[v.flow]
}

func stepOf(v *visit) string {
	switch {
	case v.flow == chat || v.flow == stranger && v.step == wrongSignature:
		return ""
	case v.flow == stranger:
		return flows[course].steps[0].name
	}
	return flows[v.flow].steps[v.step].name
}

// Visit names one request of the account.
type Visit struct {
	at     int64
	number uint32
	key    uint8
}

// At returns the time of the request.
func (v Visit) At() time.Time { return time.UnixMicro(v.at).UTC() }

// Request creates the request of a visit as ingest would capture it, not yet decoded. If it is a retry of BotHelp's,
// DuplicateOf has the id of the original, as the drain would find it.
func (a *Account) Request(v Visit) event.Event {
	return (&maker{Account: a}).request(v)
}

// maker makes one request after the other. Its memory is used again for the next.
type maker struct {
	*Account
	life life
	body []byte
}

func (m *maker) request(which Visit) (e event.Event) {
	l := &m.life
	if l.visits == nil || l.number != uint64(which.number) {
		m.live(l, uint64(which.number))
	}
	v := l.find(which.key)
	e.ReceivedAt = v.time()
	ids := m.dice(l, v)
	e.ID = event.StampID(randomID(&ids), e.ReceivedAt)
	binary.BigEndian.PutUint64(e.TraceID[:8], ids.Next())
	binary.BigEndian.PutUint64(e.TraceID[8:], ids.Next())
	binary.BigEndian.PutUint64(e.SpanID[:], ids.Next())
	if v.repeats() {
		first := l.find(v.of)
		ids := m.dice(l, first)
		e.DuplicateOf = event.StampID(randomID(&ids), first.time())
	}
	e.Source = m.sourceOf(v)
	e.Step = stepOf(v)
	e.Verdict = v.verdict()
	e.Method = "POST"
	e.RemoteIP = netip.AddrFrom4([4]byte{192, 0, 2, 1 + byte(v.at%3)})
	if v.flow == stranger {
		fillStranger(&e, v, &ids)
	} else {
		m.fillBody(&e, v)
	}
	e.BodySHA256 = sha256.Sum256(e.Body)
	m.fillHeaders(&e, v)
	return e
}

// dice returns the dice for a request's ids.
func (a *Account) dice(l *life, v *visit) people.Dice {
	return people.Throw(a.Seed, streamIDs, l.number<<8|uint64(v.key))
}

func (v *visit) time() time.Time { return time.UnixMicro(v.at).UTC() }

func (m *maker) fillBody(e *event.Event, v *visit) {
	p := m.person(&m.life)
	if v.flow == chat {
		m.body = p.appendChat(m.body[:0], v)
	} else {
		m.body = m.appendFlow(m.body[:0], &p, &m.life, v)
	}
	e.Body = bytes.Clone(m.body)
}

func fillStranger(e *event.Event, v *visit, d *people.Dice) {
	e.RemoteIP = netip.AddrFrom4([4]byte{198, 51, 100, byte(d.UpTo(256))})
	if v.step == wrongMethod {
		e.Method = "GET"
		return
	}
	e.Body = []byte(`{"test":true}`)
}

// UserAgent tells simulated requests from others.
const UserAgent = "hooktape-simulate"

// fillHeaders writes path and headers as ingest keeps them: the token masked, the lines sorted by name.
func (a *Account) fillHeaders(e *event.Event, v *visit) {
	e.Path = "/hooks/" + e.Source + "/***"
	if e.Step != "" {
		e.Path += "/" + url.PathEscape(e.Step)
	}
	e.Headers = make([]event.Header, 0, 5)
	add := func(name, value string) { e.Headers = append(e.Headers, event.Header{Name: name, Value: value}) }
	if e.Method == "POST" {
		add("Content-Length", strconv.Itoa(len(e.Body)))
		add("Content-Type", "application/ json")
	}
	add("Host", "hooks.example.org")
	add("User-Agent", UserAgent)
	switch {
	case e.Verdict == event.BadSignature:
		add(bothelp.SignatureHeader, bothelp.Sign(e.Body, "another token"))
	case v.flow == chat && a.ChatSigningToken != "":
		add(bothelp.SignatureHeader, bothelp.Sign(e.Body, a.ChatSigningToken))
	}
}

func randomID(d *people.Dice) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], d.Next())
	binary.BigEndian.PutUint64(id[8:], d.Next())
	return id
}
