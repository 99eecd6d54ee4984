package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hooktape/bothelp"
	"hooktape/event"
	"hooktape/simulate/people"
)

// Account is a BotHelp account that is played. It may be used from many goroutines.
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

// At is when the request is made.
func (v Visit) At() time.Time { return time.UnixMicro(v.at).UTC() }

// Request makes the request that a visit is, as ingest would have captured it: nothing is read from it yet, but
// DuplicateOf says of which one it is BotHelp's retry, as the drain would have found.
func (a *Account) Request(v Visit) event.Event {
	var l life
	return a.request(v, &l)
}

func (a *Account) request(which Visit, l *life) (e event.Event) {
	if l.visits == nil || l.number != uint64(which.number) {
		a.live(l, uint64(which.number))
	}
	v := l.find(which.key)
	ids := people.Throw(a.Seed, streamIDs, uint64(which.number)<<8|uint64(v.key))
	e.ReceivedAt = time.UnixMicro(v.at).UTC()
	e.ID = event.StampID(randomID(&ids), e.ReceivedAt)
	binary.BigEndian.PutUint64(e.TraceID[:8], ids.Next())
	binary.BigEndian.PutUint64(e.TraceID[8:], ids.Next())
	binary.BigEndian.PutUint64(e.SpanID[:], ids.Next())
	if v.repeats() {
		first := l.find(v.of)
		ids := people.Throw(a.Seed, streamIDs, uint64(which.number)<<8|uint64(first.key))
		e.DuplicateOf = event.StampID(randomID(&ids), time.UnixMicro(first.at))
	}
	e.Source, e.Step, e.Verdict, e.Method = a.sourceOf(v), stepOf(v), v.verdict(), "POST"
	e.RemoteIP = netip.AddrFrom4([4]byte{192, 0, 2, 1 + byte(v.at%3)})
	switch v.flow {
	case chat:
		p := a.person(l)
		e.Body = p.appendChat(make([]byte, 0, 256), v)
	case stranger:
		a.fillStranger(&e, v, &ids)
	default:
		p := a.person(l)
		e.Body = a.appendFlow(make([]byte, 0, 1024), &p, l, v)
	}
	e.BodySHA256 = sha256.Sum256(e.Body)
	a.fillHeaders(&e, v)
	return e
}

func (a *Account) fillStranger(e *event.Event, v *visit, d *people.Dice) {
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
