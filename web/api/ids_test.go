package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// TestIDs: every path and query parameter that takes an id also takes a unique beginning of it, or last; bodies take
// whole ids only. A beginning that several ids have, that none has, or that is too short is refused and says why. The
// audit log has whole ids.
func TestIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	events := append(newEvents("shop", 2), rejected(3, event.BadToken, lead, leadLength...))
	events[0].ReceivedAt = events[0].ReceivedAt.Add(-1000 * 3600e9)
	events[0].ID = event.NewID(events[0].ReceivedAt)
	crowd := newEvents("crowd", 6)
	for i := range crowd {
		crowd[i].ReceivedAt = events[0].ReceivedAt.Add(-1000 * 3600e9)
		crowd[i].ID = event.NewID(crowd[i].ReceivedAt)
	}
	slices.SortFunc(crowd, func(a, b event.Event) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	f.insert(append(events, crowd...)...)
	old, paid, refused := events[0].ID.String(), events[1].ID.String(), events[2].ID.String()
	r := f.create("shop", nil).ID
	f.awaitEnd(r)
	var list api.DeliveryPage
	f.get(readSecret, "/api/v1/deliveries", &list)
	if len(list.Deliveries) != 2 {
		t.Fatalf("%d deliveries, want 2", len(list.Deliveries))
	}
	newest := list.Deliveries[0].ID

	for _, path := range []string{"/events/" + old[:8], "/events/" + strings.ToUpper(old[:13]), "/events/last",
		"/events/" + old[:8] + "/raw", "/events/" + old[:8] + "/deliveries", "/events?id=" + old[:8], "/events?id=last",
		"/events?rejected=true&id=last", "/replays/" + r.String()[:8], "/replays/last", "/replays/last/deliveries",
		"/replays/last/diff", "/replays/last/stream", "/replays?before=last", "/deliveries/" + old[:36],
		"/deliveries/last", "/deliveries?id=last&event=" + old[:8] + "&event=" + paid, "/deliveries?replay=last&replay=live",
		"/deliveries/groups?replay=" + r.String()[:10]} {
		if a := f.ask(readSecret, "GET", "/api/v1"+path, nil); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for path, want := range map[string]string{"event/" + old[:8]: old, "event/last": refused, "rejected/last": refused,
		"delivery/" + paid: newest, "delivery/last": newest, "replay/last": r.String(), "event/" + paid: paid} {
		var found api.FoundID
		if f.get(readSecret, "/api/v1/ids/"+path, &found); found.ID != want {
			t.Errorf("%s is %s, want %s", path, found.ID, want)
		}
	}

	shared, first := crowd[0].ID.String()[:13], []string{crowd[0].ID.String() + ", ", ", " + crowd[4].ID.String() + ", …"}
	for path, want := range map[string]struct {
		status int
		says   []string
	}{
		"/events/" + shared:              {422, append(first, "more than one event has an id that begins with")},
		"/events?id=" + shared:           {422, append(first, "query.id: more than one event")},
		"/deliveries?event=" + shared:    {422, append(first, "query.event: more than one event")},
		"/events/" + old[:7]:             {422, []string{"at least its first 8 characters"}},
		"/events?" + shortIDs("id", 101): {422, []string{"query.id: more than 100 ids are not whole"}},
		"/deliveries?" + shortIDs("event", 50) + "&" + shortIDs("replay", 51): {422, []string{"more than 100 ids are not whole"}},
		"/events?id=" + old[:7]:               {422, []string{"query.id: ", "at least its first 8 characters"}},
		"/events/no-id-at-all":                {422, []string{"invalid event id"}},
		"/events/00000000":                    {404, []string{`no event has an id that begins with "00000000"`}},
		"/events/ffffffff":                    {404, []string{`no event has an id that begins with "ffffffff"`}},
		"/events?id=00000000":                 {422, []string{"query.id: no event has an id"}},
		"/replays/00000000":                   {404, []string{"no replay has an id"}},
		"/replays/00000000/stream":            {404, []string{"no replay has an id"}},
		"/replays/live":                       {422, []string{"invalid replay id"}},
		"/deliveries/00000000":                {404, []string{"no delivery has an id"}},
		"/ids/replay/00000000-ffff":           {404, []string{"no replay has an id"}},
		"/ids/endpoint/last":                  {422, []string{"path.kind"}},
		"/events?rejected=true&id=" + old[:8]: {422, []string{"no rejected event has an id"}},
	} {
		a := f.ask(readSecret, "GET", "/api/v1"+path, nil)
		if a.status != want.status {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, want.status)
			continue
		}
		if faults := a.problem(t).Errors; len(faults) > 1 {
			t.Errorf("%s has more than one fault: %v", path, faults)
		}
		for _, text := range want.says {
			if !strings.Contains(a.problem(t).Detail, text) {
				t.Errorf("%s: %q, want %q", path, a.problem(t).Detail, text)
			}
		}
	}

	var page api.EventPage
	f.get(readSecret, "/api/v1/events?id=last&id="+strings.ToUpper(refused)+"&id="+refused+strings.Repeat("&id=LAST", 200), &page)
	if len(page.Events) != 1 || page.Events[0].ID.String() != refused {
		t.Errorf("one event by several names: %v", page.Events)
	}
	nowhere, err := api.NewClient("http://127.0.0.1:1", readSecret)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := nowhere.WholeID(context.Background(), event.NamesDelivery, strings.ToUpper(newest)); err != nil || id != newest {
		t.Errorf("the client asked the API for a whole id: %q, %v", id, err)
	}

	const whole = "want a whole id: only paths and query parameters take a beginning of one, or last"
	for _, post := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/events/search", `{"selection":{"ids":["` + old + `","` + old[:8] + `"]}}`, 422, "body.selection.ids[1]: " + whole},
		{"POST", "/events/search", `{"selection":{"ids":["last"]}}`, 422, "body.selection.ids[0]: " + whole},
		{"POST", "/events/search", `{"selection":{"ids":[null]}}`, 422, "body.selection.ids[0]: expected string"},
		{"POST", "/events/search", `{"selection":{"ids":7}}`, 422, "body.selection.ids: expected array"},
		{"POST", "/events/search", `{"selection":{"ids":null}}`, 200, old},
		{"POST", "/events/search", `{"selection":{"ids":["` + strings.ToUpper(old) + `"]}}`, 200, old},
		{"POST", "/replays", `{"selection":{"ids":["` + old[:8] + `"]},"to":"crm","dry_run":true}`, 422, "body.selection.ids[0]: " + whole},
		{"POST", "/replays", `{"selection":{},"to":"crm","mode":"all","again":"last"}`, 422, "body.again: " + whole},
		{"POST", "/replays", `{"selection":{"ids":["` + old + `"]},"to":"crm","mode":"all","again":null,"dry_run":true}`, 200, old},
		{"POST", "/replays", `{"selection":{},"to":"crm","mode":"all","again":"` + r.String() + `"}`, 201, `"total":2`},
		{"POST", "/deliveries/retry", `{"selection":{"events":["` + old[:8] + `"]}}`, 422, "body.selection.events[0]: " + whole},
		{"POST", "/deliveries/retry", `{"selection":{"ids":["` + newest[:40] + `"]}}`, 422, "selection.ids: invalid value"},
		{"POST", "/deliveries/retry", `{"selection":{"replays":["last"]}}`, 422, "selection.replays: invalid value"},
		{"POST", "/deliveries/retry", `{"selection":{"ids":["` + strings.ToUpper(newest) + `"],"replays":["` + r.String() +
			`","any"],"events":null}}`, 200, `"delivered":1`},
		{"POST", "/events/accept", `{"ids":["` + refused + `","last"]}`, 422, "body.ids[1]: " + whole},
		{"POST", "/events/accept", `{"ids":["` + refused + `"]}`, 200, `"accepted":["` + refused},
		{"PUT", "/views/short", `{"query":"id=` + old[:8] + `"}`, 422, "selection.id: invalid value"},
		{"PATCH", "/replays/" + r.String()[:18], `{"rate":5}`, 422, "completed already"},
		{"POST", "/replays/" + r.String()[:18] + "/cancel", "", 422, "completed already"},
	} {
		var body any
		if post.body != "" {
			body = post.body
		}
		a := f.ask(adminSecret, post.method, "/api/v1"+post.path, body)
		if a.status != post.status || !strings.Contains(strings.ReplaceAll(string(a.body), `": `, `":`), post.says) {
			t.Errorf("%s %s %s: %d %s, want %d and %s", post.method, post.path, post.body, a.status, a.body, post.status,
				post.says)
		}
	}

	entries, err := f.client(adminSecret).AuditLog(context.Background(), 1000)
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if len(e.Target) < 36 || strings.Contains(e.Target+e.Detail, "last") {
			t.Errorf("the audit log has no whole id: %+v", e)
		}
	}
	if !slices.ContainsFunc(entries, func(e api.AuditEntry) bool {
		var made replay.Request
		return e.Action == "replay.create" && json.Unmarshal([]byte(e.Detail), &made) == nil && made.Again == r
	}) {
		t.Error("the audit log does not name the replay that was repeated")
	}
}

// shortIDs returns a query with beginnings of ids.
func shortIDs(filter string, n int) string {
	values := url.Values{}
	for i := range n {
		values.Add(filter, fmt.Sprintf("%08x", i))
	}
	return values.Encode()
}
