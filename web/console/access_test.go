package console_test

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"hooktape/internal/store"
)

// axe is axe-core 4.14.1 (testdata/axe.LICENSE), which looks for what keeps people with disabilities out.
//
//go:embed testdata/axe.min.js.gz
var axe []byte

func pageOf(limit int) store.Page { return store.Page{Limit: limit} }

// TestAccessible has axe-core look at every page in light, dark and on a phone: nothing serious or critical.
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
	replayed := f.replayOf(f.login(adminSecret), "since=1h&endpoint=crm&mode=all")
	b := f.browser(adminSecret)
	looked := append(pages(e, replayed), "/nowhere", "/?text=nothing", "/events/"+refused.ID.String())
	for _, look := range []string{"light", "dark", "dark, on a phone"} {
		b.Dark(look != "light")
		if look == "dark, on a phone" {
			b.Resize(375, 740)
		}
		for _, page := range looked {
			b.Open(f.url + page)
			b.Await(`document.querySelector('h1') && !document.querySelector('[hx-trigger=load]:has(p.hint)')`)
			b.Script(`document.querySelectorAll('details').forEach(d => { d.open = true })`, nil)
			assertNoFault(t, b.Run, string(script), fmt.Sprintf("%s (%s)", page, look))
		}
	}
	b.Run(chromedp.Submit(`form[action="/logout"]`, chromedp.ByQuery))
	b.AwaitText("label", "Token")
	assertNoFault(t, b.Run, string(script), "/login")
	f.assertClean(b)
}

func assertNoFault(t *testing.T, run func(...chromedp.Action), script, page string) {
	t.Helper()
	var faults []string
	awaited := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	run(chromedp.Evaluate(script+";0", nil), chromedp.Evaluate(`axe.run({resultTypes: ['violations']}).then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200) + ' — ' + n.failureSummary.replace(/\s+/g, ' ').slice(0, 200))))`, &faults, awaited))
	for _, fault := range faults {
		t.Errorf("%s: %s", page, fault)
	}
}
