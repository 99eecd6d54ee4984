package console_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// price is a source whose bots wait for an answer.
var price = console.Source{Name: "price", HookURL: "https://hooks.example.org/hooks/price/" + hookSecret,
	Forward: &console.Forward{
		Expect: []string{"price", "items[0].id", "paid"}, Status: 200,
		Headers: []event.Header{{Name: "Content-Type", Value: "application/json"}},
		Body:    `{"price":"","items":[],"error":"unavailable"}`}}

// external returns an event with an external request, and its attempt.
func external(answer string, change func(*event.Attempt)) (event.Event, event.Attempt) {
	e := newLead("7", "Анна Петрова", time.Minute)
	e.Source, e.Step, e.Method, e.Path, e.Query = "price", "quote", "PUT", "/hooks/price/***/quote", "sku=12"
	a := event.Attempt{ID: event.ForwardID(e.ID, "backend"), EventID: e.ID, Endpoint: "backend",
		URL: "https://crm.example.org/quote", Number: 1, StartedAt: e.ReceivedAt, Kind: event.AttemptForward, Source: "price",
		Outcome: event.OutcomeDelivered, StatusCode: 200, Duration: 312 * time.Millisecond,
		Overhead:        3 * time.Millisecond,
		ResponseHeaders: []event.Header{{Name: "Content-Type", Value: "application/json"}},
		ResponseBody:    []byte(answer), ResponseBytes: uint64(len(answer))}
	if change != nil {
		change(&a)
	}
	return e, a
}

func (f *fixture) insertExternal(e event.Event, a event.Attempt) event.Event {
	f.t.Helper()
	f.insert(e)
	if err := f.db.RecordOutcomes(background, "", nil, []event.Attempt{a}); err != nil {
		f.t.Fatal(err)
	}
	return e
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text) // a buffer takes all
	_ = w.Close()
	return out.String()
}

var tags = regexp.MustCompile(`<[^>]*>|\s+`)

// testExternalRequest verifies that the page shows the answer that the bot got and the values that BotHelp reads from
// it, with every result of the request, and that the list flags fallbacks and missing keys.
func (f *fixture) testExternalRequest() {
	t := f.t
	for name, c := range map[string]struct {
		answer string
		change func(*event.Attempt)
		want   []string // texts on the page, without tags and spaces
		flags  string   // in the list
	}{
		"answered": {`{"price":1200.50,"items":[{"id":"a<b"}],"paid":null}`, nil,
			[]string{"200OKthebotwaited315ms:312msfortheendpoint,3msinhooktape", "PUT/hooks/price/***/quote?sku=12",
				"price1200.50items[0].ida&lt;bpaidnullForwarded"}, ""},
		"missing": {`{"price":"7"}`, func(a *event.Attempt) { a.MissingKeys = []string{"items[0].id", "paid"} },
			[]string{"Missingintheanswer:items[0].id,paid.",
				"price7items[0].idmissingpaidmissingForwarded"}, "missingitems[0].id,paid"},
		"zipped": {zipped(`{"price":"7","items":[{"id":1}],"paid":{"x": [1, "а"]}}`), func(a *event.Attempt) {
			a.ResponseHeaders = append(a.ResponseHeaders, event.Header{Name: "Content-Encoding", Value: "GZip"})
		}, []string{`price7items[0].id1paid{&#34;x&#34;:[1,&#34;а&#34;]}Forwarded`}, ""},
		"trailing text": {`{"price":"7"} x`, func(a *event.Attempt) {
			a.MissingKeys = []string{"price", "items[0].id", "paid"}
		}, []string{"pricemissingitems[0].idmissingpaidmissingForwarded"}, "missingprice,items[0].id,paid"},
		"expected then": {`{"price":"7","items":[{"id":1}],"paid":"no"}`, func(a *event.Attempt) {
			a.MissingKeys = []string{"name"}
		},
			[]string{"paidnonamemissingForwarded"}, "missingname"},
		"fallback": {"", func(a *event.Attempt) {
			a.Outcome, a.StatusCode, a.Fallback, a.Error, a.ResponseHeaders = event.OutcomeTimeout, 0,
				event.FallbackDeadline, "no answer within 8s", nil
		}, []string{"Thebotgotthefallback:theendpointdidnotanswerwithinthedeadline.(noanswerwithin8s)",
			"Fallbackasconfigurednow200OK", "unavailable",
			"priceemptyitems[0].idmissingpaidmissingForwardedrequestandtheendpoint’sanswer"}, "fallback"},
		"not sent": {"", func(a *event.Attempt) {
			a.Outcome, a.StatusCode, a.Fallback = event.OutcomeNotSent, 0, event.FallbackInFlight
		}, []string{"toomanyrequestswerewaiting", "Answeroftheendpointnone"}, "fallback"},
		"long": {`{"price":"7","text":"`, func(a *event.Attempt) { a.ResponseBytes += 2_000_000 },
			[]string{"2000000morebytesarenotstored", "pricenotinthestoredpartoftheanswer"}, ""},
		"interrupted": {`{"price":"7`, func(a *event.Attempt) {
			a.Outcome, a.Error = event.OutcomeBroken, "unexpected EOF"
		},
			[]string{"brokenoff", "Theanswerbrokeoff.Thebotgotitsbeginning.(unexpectedEOF)"}, "brokenoff"},
		"unknown": {"", func(a *event.Attempt) { a.Outcome, a.StatusCode, a.Duration = event.OutcomeUnknown, 0, 0 },
			[]string{"hooktapewasstoppedbeforeitcouldrecordtheanswer", "pricenotinthestoredpartoftheanswer"}, "brokenoff"},
		"hostile": {`{"price":"<script>alert(1)</script>\u202e"}`, func(a *event.Attempt) {
			a.MissingKeys = []string{"<b>", "paid"}
		},
			[]string{"&lt;script&gt;alert(1)&lt;/script&gt;U+202E", "&lt;b&gt;"}, "missing&lt;b&gt;,paid"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.on(t)
			p := f.login(readSecret)
			e := f.insertExternal(external(c.answer, c.change))
			_, section, _ := strings.Cut(p.page("/events/"+e.ID.String()), `<section id="forward">`)
			section, _, _ = strings.Cut(section, "</section>")
			text := strings.ReplaceAll(tags.ReplaceAllString(section, ""), "\u202f", "")
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not contain %q:\n%s", want, text)
				}
			}
			_, row, _ := strings.Cut(p.page("/?id="+e.ID.String()+"&source=price"), `<td class="c-deliveries">`)
			row, _, _ = strings.Cut(row, "</td>")
			if got := tags.ReplaceAllString(row, ""); got != c.flags {
				t.Errorf("the list has the flags %q, want %q", got, c.flags)
			}
		})
	}
	lead := newLead("8", "Олег", time.Minute)
	f.insert(lead)
	if page := f.login(readSecret).page("/events/" + lead.ID.String()); strings.Contains(page, "External request") {
		t.Error("the page of a plain event shows an external request")
	}
}

// TestFallbackDetail: the page adds the error of a fallback to its reason only if it says more.
func TestFallbackDetail(t *testing.T) {
	t.Parallel()
	for reason, want := range map[event.Fallback]string{event.FallbackRefused: "connection refused",
		event.FallbackFailing: "", event.FallbackInFlight: ""} {
		var f console.Forwarded
		f.Fallback, f.Error = reason, "connection refused"
		if got := f.Detail(); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

// TestFailingForward: an endpoint that does not answer the bots of a source is failing on its page, which says since
// when and why. Once it answers, the page only names the source.
func TestFailingForward(t *testing.T) {
	t.Parallel()
	f := newFixture(t, replay.DefaultEndpoint("backend", "https://crm.example.org/quote"))
	f.direct.SetHost(api.Host{Forwards: func() map[string]string { return map[string]string{"price": "backend"} }})
	b := f.browser(readSecret)
	card := func(wants ...string) {
		b.Open(f.url + "/endpoints/backend")
		for _, want := range wants {
			b.AwaitText("#endpoint-backend", want)
		}
		f.assertClean(b)
	}
	p := f.login(readSecret)
	testutil.Eventually(t, func() error {
		if !strings.Contains(p.page("/endpoints/backend"), ">active<") {
			return errors.New("the endpoint is not active yet")
		}
		return nil
	})
	f.insertExternal(external("", func(a *event.Attempt) {
		a.Outcome, a.StatusCode, a.Fallback, a.Error = event.OutcomeNoConn, 0, event.FallbackRefused, "connection refused"
	}))
	f.insertExternal(external("", func(a *event.Attempt) {
		a.Outcome, a.StatusCode, a.Fallback = event.OutcomeNotSent, 0, event.FallbackFailing
		a.StartedAt = a.StartedAt.Add(time.Second)
	}))
	card("External Requests of price fail since ", "min ago, 1 in a row: connection refused. Bots get the fallback")
	if strings.Contains(p.page("/endpoints/backend"), ">active<") {
		t.Error("the endpoint is active although it does not answer")
	}
	f.insertExternal(external(`{"price":"7"}`, func(a *event.Attempt) { a.StartedAt = a.StartedAt.Add(2 * time.Second) }))
	card("External Requests of price")
	if page := p.page("/endpoints/backend"); strings.Contains(page, "fail since") ||
		strings.Contains(page, "for replays only") {
		t.Error("the endpoint is failing although it answers")
	}
}
