package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// testIDs: an address takes the beginning of an id, or last, and leads to the page with the whole id; forms take whole
// ids only, because another thing may be the last when the form is confirmed.
func (f *fixture) testIDs() {
	old, fresh := newLead("31", "Старая", 2000*time.Hour), newLead("32", "Новая", time.Millisecond)
	f.insert(old, fresh)
	p := f.login(adminSecret)
	id := old.ID.String()
	r := f.replayOf(p, "mode=all&endpoint=crm&id="+id)
	for path, want := range map[string]string{
		"/events/" + id[:8]:                             "/events/" + id,
		"/events/" + strings.ToUpper(id[:13]):           "/events/" + id,
		"/replays/" + r.String()[:18] + "?state=failed": "/replays/" + r.String() + "?state=failed",
		"/?f.q=" + id[:20]:                              "/events/" + id[:20],
		"/?f.q=" + strings.ToUpper(id):                  "/events/" + id,
		"/?f.q=" + strings.ToUpper(id[:20]):             "/events/" + id[:20],
		"/events/" + id[:8] + "?all=1":                  "/events/" + id + "?all=1",
		"/deliveries/" + id[:30]:                        "/events/" + id + "#d-" + id,
	} {
		a := p.get(path)
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || !strings.HasPrefix(got, want) {
			f.t.Errorf("%s: %d to %q, want %q", path, a.status, got, want)
		}
	}
	if page := p.page("/?id=" + id[:8]); !strings.Contains(page, "Старая") || strings.Contains(page, "Новая") {
		f.t.Error("the list by the beginning of an id has not the event")
	}
	if page := p.page("/replays?id=" + id[:8] + "&endpoint=crm&mode=all"); !strings.Contains(page, "id="+id) ||
		strings.Contains(page, "id="+id[:8]+"&") {
		f.t.Error("the plan does not have the whole id")
	}
	for path, says := range map[string]string{"/events/" + id[:7]: "at least its first 8 characters",
		"/events/00000000": "no event has an id that begins with"} {
		if a := p.get(path); a.status != http.StatusNotFound || !strings.Contains(a.body, says) {
			f.t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/events/last/replay", "/replays/last/cancel", "/replays?again=last&endpoint=crm"} {
		if a := p.post(path, nil); a.status != http.StatusUnprocessableEntity ||
			!strings.Contains(a.body, "a form needs whole ids") {
			f.t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestIDsWithoutClickHouse verifies that an address with the beginning of an id is not "not found" while ClickHouse does
// not answer.
func TestIDsWithoutClickHouse(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, log: &testutil.Log{}}
	p := f.consoleOn("http://127.0.0.1:1/hooktape").login(readSecret)
	for _, path := range []string{"/events/last", "/events/01a204fa", "/replays/last", "/deliveries/last", "/?id=last"} {
		if a := p.get(path); a.status != http.StatusServiceUnavailable ||
			!strings.Contains(a.body, "ClickHouse does not answer now") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
