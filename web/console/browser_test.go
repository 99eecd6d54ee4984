package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/browsertest"
	"hooktape/web/console"
)

// TestPauseAndResume pauses a replay with the page's buttons, changes its rate, resumes it, and waits for its end.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const total = 2000
	var events []event.Event
	for i := range total {
		events = append(events, newEvent(fmt.Sprintf(`{"n":%d}`, i), time.Hour+time.Duration(i)*time.Millisecond))
	}
	f.insert(events...)
	b := f.browser(replaySecret)
	b.Open(f.url + "/replays?since=2h&endpoint=crm&rate=200&concurrency=32&stop_after_failures=50")
	b.AwaitText(".plan", "To be sent2\u202f000")
	b.Click(".go button")
	b.AwaitText("#confirm", "It sends 2000 events.")
	b.Click("#confirm button")
	b.Await("location.pathname.match(/replays.[0-9a-f-]{36}/)")
	b.AwaitText("#progress", "per second")
	b.Click(`form[action$="/pause"] button`)
	b.AwaitText("#progress", "paused")
	b.Await(`document.querySelector('form[action$="/resume"]')`)
	var still int
	testutil.Eventually(f.t, func() error { // requests in flight are completed
		before, _ := f.receiver.count()
		if before != still || before == 0 {
			still = before
			return fmt.Errorf("%d requests, and more are arriving", before)
		}
		return nil
	})
	if still == total {
		t.Fatal("the replay ended before it was paused: the test proves nothing")
	}
	b.Run(chromedp.SetValue(`form[action$="/set-rate"] input`, "0", chromedp.ByQuery),
		chromedp.Submit(`form[action$="/set-rate"]`, chromedp.ByQuery))
	b.AwaitText("#progress", "paused")
	b.Click(`form[action$="/resume"] button`)
	testutil.Eventually(f.t, func() error {
		if events, _ := f.receiver.count(); events < total {
			return fmt.Errorf("%d of %d events arrived", events, total)
		}
		return nil
	})
	b.AwaitText("#progress", "completed")
	b.AwaitText("#progress", "2\u202f000 of 2\u202f000 delivered")
	b.Await(`!document.querySelector('#steer form')`) // the form disappears at the end
	if got, requests := f.receiver.count(); got != total || requests != total {
		t.Errorf("the receiver got %d of %d events, in %d requests", got, total, requests)
	}
	f.assertClean(b)
}

// TestTail verifies that new events appear in the list, in their place, once, and not while the list is paused.
func TestTail(t *testing.T) {
	f := newFixture(t)
	f.insert(newLead("1", "Первая", time.Minute))
	b := f.browserOnList(readSecret)
	b.AwaitText("#rows", "Первая")
	b.Script(`window.asked = []; document.addEventListener('htmx:beforeRequest', () => asked.push(performance.now()))`, nil)
	f.insert(newLead("2", "Вторая", 0))
	b.Await(`document.querySelector('#rows tr').textContent.includes('Вторая')`)
	b.Await(`asked.some((at, i) => at - asked[i - 1] < 3000)`) // the page asks for new events every two seconds
	f.insert(newLead("3", "Поздняя", 90*time.Second))          // received before events that are already shown
	b.Await(`[...document.querySelectorAll('#rows tr')].map(r => r.textContent.match(/Первая|Вторая|Поздняя/)[0]).join() === 'Вторая,Первая,Поздняя'`)
	b.AwaitText("#news", "1 new event")

	// Events of one poll without earlier ones are inserted at their place, too.
	var order string
	b.Script(`(() => {
		const rows = document.querySelector('#rows'), last = rows.lastElementChild
		rows.prepend(last)
		settle()
		return [...rows.children].map(r => r.textContent.match(/Первая|Вторая|Поздняя/)[0]).join()
	})()`, &order)
	if order != "Вторая,Первая,Поздняя" {
		t.Errorf("got the rows in the order %s", order)
	}

	b.Press("p")
	b.Await(`document.querySelector('#pause').getAttribute('aria-pressed') === 'true'`)
	f.insert(newLead("4", "Четвёртая", 0))
	asked := `performance.getEntriesByType('resource').filter(e => e.name.includes('/newer')).length`
	var before, after float64
	b.Script(asked, &before)
	b.Script(`window.ticks = 0, setInterval(() => window.ticks++, 1000)`, nil)
	b.Await(`window.ticks > 2`) // longer than the interval of polls
	b.Script(asked, &after)
	if after > before+1 || strings.Contains(b.Text("#rows"), "Четвёртая") {
		t.Errorf("a paused list still polls: %v requests, then %v", before, after)
	}
	b.Press("p")
	b.AwaitText("#rows", "Четвёртая")
	var rows float64
	b.Script(`document.querySelectorAll('#rows tr').length`, &rows)
	if rows != 4 {
		t.Errorf("the list has %v rows for 4 events", rows)
	}
	f.assertClean(b)
}

// TestTailDisconnected verifies that a list that cannot ask for new events says that it is disconnected.
func TestTailDisconnected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		f.handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	f.url = server.URL
	f.insert(newLead("1", "Первая", time.Minute))
	b := f.browserOnList(readSecret)
	b.AwaitText("#rows", "Первая")
	awaitMark := func(mark string) {
		t.Helper()
		b.Await(`getComputedStyle(document.querySelector('#pause .on'), '::after').content === '` + mark + `'`)
	}
	awaitMark("none")
	broken.Store(true)
	awaitMark(`"Disconnected"`)
	broken.Store(false)
	awaitMark("none")
	server.Listener.Close()
	server.CloseClientConnections()
	awaitMark(`"Disconnected"`)
	b.AwaitText("#rows", "Первая")
}

// TestTailOfMany verifies that the list says so if and only if more events arrive than one answer has.
func TestTailOfMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	many := func(name string, n int) (events []event.Event) {
		for i := range n {
			events = append(events, newLead("8", name, time.Duration(i)*time.Millisecond))
		}
		return events
	}
	f.insert(many("Первая", 110)...)
	b := f.browserOnList(readSecret)
	b.AwaitText("#rows", "Первая")
	f.insert(newLead("7", "Одна", 0)) // the poll starts earlier, and returns a hundred events
	b.AwaitText("#rows", "Одна")
	b.Await(`document.querySelector('#much').hidden`)
	f.insert(many("Вторая", 120)...)
	b.AwaitText("#rows", "Вторая")
	b.Await(`!document.querySelector('#much').hidden`)
	f.assertClean(b)
}

// TestTailOfAnEmptyList verifies that the first event of all appears.
func TestTailOfAnEmptyList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browserOnList(readSecret)
	b.AwaitText("#empty", "https://hooks.example.org/hooks/demo/***/start")
	b.AwaitText(".chart", "0 events")
	b.Await(`document.querySelector('#total').textContent !== ''`)
	b.Await(`!document.querySelector('#total').checkVisibility()`) // it belongs to the bar below a list
	f.insert(newLead("1", "Первая", 0))
	b.AwaitText("#rows", "Первая")
	f.assertClean(b)
}

// TestKeyboard finds, opens and replays an event without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wanted := newLead("7", "Анна Петрова", 2*time.Minute)
	f.insert(newLead("1", "Иван", time.Minute), wanted, newLead("9", "Олег", 3*time.Minute))
	b := f.browserOnList(replaySecret)
	b.AwaitText("#rows", "Олег")
	scripted(b)
	b.Press("/")
	b.Await(`document.activeElement.id === 'q'`)
	b.Run(chromedp.KeyEvent("Анна П\r"))
	b.AwaitText(".chips", "Анна П")
	b.Await(`document.querySelectorAll('#rows tr').length === 1`)
	scripted(b)
	b.Press("j")
	b.Press("x")
	b.Await(`document.querySelector('#rows input').checked`)
	b.Run(chromedp.KeyEvent("\r"))
	b.Await(`location.pathname === '/events/` + wanted.ID.String() + `'`)
	scripted(b)
	b.Press("?")
	b.Await(`document.querySelector('#help').open`)
	b.Run(chromedp.KeyEvent("\u001b"))
	b.Await(`!document.querySelector('#help').open`)
	for range 40 { // tab to the button, as a user does
		var there bool
		if b.Script(`document.activeElement.textContent === 'Replay'`, &there); there {
			break
		}
		b.Run(chromedp.KeyEvent("\t"))
	}
	b.Run(chromedp.KeyEvent("\r"))
	b.AwaitText("#progress", "completed")
	scripted(b)
	b.Press("g")
	b.Press("d")
	b.AwaitText("h1", "Endpoints")
	f.assertClean(b)
}

// scripted waits until the page's script runs and handles keys.
func scripted(b *browsertest.Browser) {
	b.Await(`document.querySelector('#keys') && !document.querySelector('#keys').hidden`)
}

// TestWithoutJavaScript reads pages, filters, plans and replays with JavaScript disabled.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна Петрова", 2*time.Minute)
	f.insert(e, newLead("8", "Иван", time.Minute))
	b := f.browser(replaySecret)
	b.WithoutScripts()
	b.Open(f.url + "/")
	b.AwaitText("#rows", "Анна Петрова")
	b.AwaitText(".zone", "UTC")
	b.Run(chromedp.SetValue("#q", "Анна", chromedp.ByQuery), chromedp.Submit("#q", chromedp.ByQuery))
	b.Await(`location.search === '?text=' + encodeURIComponent('Анна') && document.querySelectorAll('#rows tr').length === 1`)
	b.Click(".chart a")
	b.AwaitText(".chart", "1 event")
	b.Click("#rows input")
	b.Click("#replay-chosen")
	b.AwaitText("h2", "New replay")
	b.Run(chromedp.SetValue("select[name=endpoint]", "crm", chromedp.ByQuery),
		chromedp.Submit("form.fields", chromedp.ByQuery))
	b.AwaitText(".plan", "To be sent1")
	b.Run(chromedp.Submit(".go", chromedp.ByQuery))
	b.AwaitText("h1", "Replay")
	testutil.Eventually(f.t, func() error {
		b.Run(chromedp.Reload())
		if text := b.Text("#progress"); !strings.Contains(text, "completed") {
			return fmt.Errorf("the page shows %s", text)
		}
		return nil
	})
	b.Open(f.url + "/events/" + e.ID.String())
	b.AwaitText("#deliveries", "200 OK")
	b.AwaitText("#pretty", `"name": "Анна Петрова"`)
	f.assertClean(b)
}

// testLinkFromElsewhere verifies that a user who follows a link on another site is still logged in, although the first
// request has no cookie.
func (f *fixture) testLinkFromElsewhere() {
	t := f.t
	e := newLead("7", "Анна Петрова", 2*time.Minute)
	f.insert(e)
	b := f.browserByPage(readSecret)
	chat := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><a id=go href="%s/events/%s">look</a>`, f.url, e.ID)
	})
	elsewhere := strings.Replace(serve(t, chat), "127.0.0.1", "localhost", 1) // another site for browsers
	b.Open(elsewhere)
	b.Click("#go")
	b.AwaitText("h1", "Анна Петрова")
}

// TestDrag verifies that dragging a range on the chart sets the time of the list, and that copy buttons copy.
func TestDrag(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", 30*time.Minute)
	f.insert(newLead("1", "Иван", 5*time.Minute), e, newLead("2", "Олег", 55*time.Minute))
	b := f.browser(readSecret)
	b.Open(f.url + "/?since=1h&source=demo")
	b.Await(`document.querySelector('#spark .all')`)
	scripted(b)
	var box []float64
	b.Script(`(r => [r.left, r.top + r.height / 2, r.width])(document.querySelector('#spark').getBoundingClientRect())`,
		&box)
	at := func(part float64) float64 { return box[0] + part*box[2] }
	left := chromedp.ButtonType(input.Left)
	b.Run(chromedp.MouseEvent(input.MousePressed, at(0.25), box[1], left),
		chromedp.MouseEvent(input.MouseMoved, at(0.5), box[1], left), chromedp.MouseEvent(input.MouseMoved, at(0.75),
			box[1], left), chromedp.MouseEvent(input.MouseReleased, at(0.75), box[1], left))
	b.Await(`new URLSearchParams(location.search).has('until')`)
	b.Await(`document.querySelectorAll('#rows tr').length === 1`)
	b.AwaitText("#rows", "Анна")
	var minutes float64
	b.Script(`(p => (Date.parse(p.get('until')) - Date.parse(p.get('from'))) / 60000)(new URLSearchParams(location.search))`, &minutes)
	if minutes < 29 || minutes > 31 || !strings.Contains(b.Text(".chips"), "source") {
		t.Errorf("dragging selects %v minutes, with the filters %s", minutes, b.Text(".chips"))
	}
	b.Open(f.url + "/events/" + e.ID.String())
	scripted(b)
	b.Script(`navigator.clipboard.writeText = async text => { window.copied = text }`, nil)
	b.Click(`[data-copy="#pretty pre"]`)
	b.Await(`JSON.parse(window.copied).name === 'Анна'`)
	b.AwaitText(`[data-copy="#pretty pre"]`, "Copied")
	f.assertClean(b)
}

// TestReload verifies that reloading the answer to a form does not send the form again.
func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var tests atomic.Int32
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		tests.Add(1)
		fmt.Fprint(w, "test taken")
	})
	b := f.browser(adminSecret)
	b.Open(f.url + "/endpoints")
	b.Click(`form[action$="/test"] button`)
	b.AwaitText(".tested", "test taken")
	b.Await(`location.pathname === '/endpoints'`)
	b.Run(chromedp.Reload())
	b.Await(`document.querySelector('h1') && !document.querySelector('.tested')`)
	if n := tests.Load(); n != 1 {
		t.Errorf("%d test requests sent", n)
	}
	b.Open(f.url + "/sources")
	b.Click(`form[action$="/reveal"] button`)
	b.AwaitText("#url-demo", hookSecret)
	b.Await(`location.pathname === '/sources'`)
	b.Run(chromedp.Reload())
	b.AwaitText("#url-demo", "***")
	f.assertClean(b)
}

// testBrowsersZone verifies that the script sends the browser's time zone to the server, and reloads the page in it.
func (f *fixture) testBrowsersZone() {
	e := newLead("7", "Анна", 0)
	f.insert(e)
	b := f.browser(readSecret)
	b.Run(emulation.SetTimezoneOverride("Asia/Yekaterinburg"))
	b.Open(f.url + "/events/" + e.ID.String())
	b.AwaitText(".zone", "Asia/Yekaterinburg, UTC+5")
	b.AwaitText(".facts", e.ReceivedAt.Add(5*time.Hour).Format("2006-01-02 15:04:05.000"))
	f.assertClean(b)
}

// testRelativeTimes verifies that the script updates a relative time with the same text as the server.
func (f *fixture) testRelativeTimes() {
	e := newLead("7", "Анна", 0)
	f.insert(e)
	b := f.browser(readSecret)
	b.Open(f.url + "/events/" + e.ID.String())
	b.Await(`document.querySelector('time.ago').dateTime.startsWith('` +
		e.ReceivedAt.Format("2006-01-02T15:04:05.000000") + `')`)
	const shown = `document.querySelector('time.ago').textContent`
	var first string
	b.Script(shown, &first)
	b.Await(fmt.Sprintf("%s !== %q", shown, first))
	for _, away := range []time.Duration{0, 1999 * time.Millisecond, 2 * time.Second, time.Minute - 1, time.Minute,
		119 * time.Minute, 2 * time.Hour, 24*time.Hour - 1, -time.Millisecond, -61 * time.Second, -3 * time.Hour} {
		var script string
		b.Script(fmt.Sprintf("ago(%f)", away.Seconds()*1000), &script)
		if server := console.Ago(away); script != server {
			f.t.Errorf("%s ago: the script shows %q, the server %q", away, script, server)
		}
	}
	f.assertClean(b)
}

// testZone verifies that times are in the browser's zone, which the page names.
func (f *fixture) testZone() {
	t := f.t
	e := newLead("7", "Анна", 0)
	f.insert(e)
	p := f.login(readSecret)
	p.web.Jar.SetCookies(nil, []*http.Cookie{{Name: "hooktape_zone", Value: url.QueryEscape("Asia/Kathmandu")}})
	page := p.page("/events/" + e.ID.String())
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	if want := e.ReceivedAt.In(zone).Format("2006-01-02 15:04:05.000 ") + "+05:45"; !strings.Contains(page, want) ||
		!strings.Contains(page, "Asia/Kathmandu, UTC&#43;5:45") {
		t.Errorf("the page does not show %s and the zone", want)
	}
	a := p.get("/?f.from=2026-01-31T13:00&f.step=(none)&f.channel=")
	if got := a.header.Get("Location"); got != "/?from=2026-01-31T13%3A00%3A00%2B05%3A45&step=" {
		t.Errorf("a time without a zone was read as %s", got)
	}
	p.web.Jar.SetCookies(nil, []*http.Cookie{{Name: "hooktape_zone", Value: url.QueryEscape("Europe/Berlin")}})
	for form, want := range map[string]string{ // the hour that Berlin has twice
		"f.from=2026-10-25T02:15&f.to=2026-10-25T02:15": "from=2026-10-25T02:15:00+02:00&until=2026-10-25T02:15:00+01:00",
		"from=2026-10-25T02:15:30%2B01:00&to=2026-10-25T02:45:00%2B02:00&f.from=2026-10-25T02:15&f.to=2026-10-25T02:45&f.step=a": "from=2026-10-25T02:15:30+01:00&step=a&until=2026-10-25T02:45:00+02:00",
		"from=2026-10-25T02:15:30%2B01:00&f.from=2026-10-25T02:16":                                                               "from=2026-10-25T02:16:00+02:00",
	} {
		if got, _ := url.QueryUnescape(strings.ReplaceAll(p.get("/?"+form).header.Get("Location"), "%2B",
			"%252B")); strings.TrimPrefix(strings.ReplaceAll(got, "%2B", "+"), "/?") != want {
			t.Errorf("the form %s leads to %s, want %s", form, got, want)
		}
	}
}
