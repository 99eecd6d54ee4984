package console_test

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/browsertest"
)

// axe is axe-core 4.14.1 (testdata/axe.LICENSE), which finds accessibility problems.
//
//go:embed testdata/axe.min.js.gz
var axe []byte

func pageOf(limit int) store.Page { return store.Page{Limit: limit} }

// TestAccessible verifies that axe-core finds no serious or critical problem on any page, in light, in dark and on a
// phone.
func TestAccessible(t *testing.T) {
	t.Parallel()
	unzip, err := gzip.NewReader(bytes.NewReader(axe))
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	e := newLead("7", "Анна Петрова", 2*time.Minute)
	refused := newEvent("", time.Minute)
	refused.Verdict = "bad_token"
	f.insert(newLead("7", "Анна", 3*time.Minute), e, newLead("7", "Анна Иванова", time.Minute), refused)
	asked := f.insertExternal(external(`{"price":"7"}`, func(a *event.Attempt) {
		a.Outcome, a.Fallback, a.MissingKeys = event.OutcomeTimeout, event.FallbackDeadline, []string{"paid"}
	}))
	replayed := f.replayOf(f.login(adminSecret), "since=1h&endpoint=crm&mode=all")
	b := f.browser(adminSecret)
	looked := append(pages(e, replayed), "/nowhere", "/?text=nothing", "/events/"+refused.ID.String(),
		"/events/"+asked.ID.String(), "/accept?id="+refused.ID.String(), "/?rejected=true&text=nothing")
	for _, page := range looked {
		b.Open(f.url + page)
		b.Await(`document.querySelector('h1') && !document.querySelector('[hx-trigger=load]:has(p.hint)')`)
		b.Script(`document.querySelectorAll('details').forEach(d => { d.open = true })`, nil)
		b.Script(string(script)+";0", nil)
		for _, look := range looks {
			b.Dark(look.dark)
			b.Resize(look.width, 740)
			assertAccessible(t, b, look.rules, page+" ("+look.name+")")
		}
	}
	b.Run(chromedp.Submit(`form[action="/logout"]`, chromedp.ByQuery))
	b.AwaitText("label", "Token")
	b.Script(string(script)+";0", nil)
	assertAccessible(t, b, "", "/login")
	f.assertClean(b)
}

// looks are the ways to show a page. They differ in the stylesheet's result only.
var looks = []struct {
	name  string
	dark  bool
	width int64
	rules string // rules of axe; all if empty
}{
	{"light", false, 1280, ""},
	{"dark", true, 1280, `runOnly: ['color-contrast', 'link-in-text-block'],`}, // only colours differ from light
	{"dark, on a phone", true, 375, ""},
}

// assertAccessible runs axe, which the page must have loaded.
func assertAccessible(t *testing.T, b *browsertest.Browser, rules, page string) {
	t.Helper()
	var faults []string
	awaited := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	b.Run(chromedp.Evaluate(`axe.run({`+rules+`resultTypes: ['violations']}).then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200) + ' — ' + n.failureSummary.replace(/\s+/g, ' ').slice(0, 200))))`, &faults, awaited))
	for _, fault := range faults {
		t.Errorf("%s: %s", page, fault)
	}
}
