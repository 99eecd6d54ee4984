package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
	"hooktape/web/api"
)

var escape = url.QueryEscape

// TestPages verifies that every event is on one page, in order, although many have the same time and more arrive
// meanwhile.
func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const n = 2000
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	events := newEvents("shop", n)
	for i := range events {
		events[i].ReceivedAt = at.Add(time.Duration(i%3) * time.Microsecond)
	}
	f.insert(events...)
	seen, order := map[uuid.UUID]int{}, []api.Event{}
	for cursor := ""; ; {
		var page api.EventPage
		f.get(readSecret, "/api/v1/events?source=shop&limit=130&cursor="+cursor, &page)
		if len(page.Events) > 130 {
			t.Fatalf("a page of %d", len(page.Events))
		}
		for _, e := range page.Events {
			seen[e.ID]++
			order = append(order, e)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		late := newEvent("shop", 0)
		late.ReceivedAt = at.Add(time.Minute)
		f.insert(late)
	}
	if len(seen) != n || len(order) != n {
		t.Errorf("%d distinct of %d events, want %d", len(seen), len(order), n)
	}
	if !slices.IsSortedFunc(order, func(a, b api.Event) int { return b.ReceivedAt.Compare(a.ReceivedAt) }) {
		t.Error("the events are not in order")
	}
	var whole api.EventPage
	f.get(readSecret, "/api/v1/events?source=none", &whole)
	if whole.Events == nil || len(whole.Events) != 0 || whole.Next != "" {
		t.Errorf("got the empty page %+v", whole)
	}
}

// TestSelection verifies that each query parameter, and each property of a search, selects.
func TestSelection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := newEvent("shop", 1), newEvent("school", 2)
	one.Kind, one.Channel, one.MessengerUserID = event.KindConversationClosed, "telegram", "tg7"
	one.UTMSource = "vk"
	one.UTMMedium = "cpc"
	one.UTMCampaign = "x, y"
	one.UTMContent = "c=1&d"
	one.UTMTerm = "ё"
	one.Fields = map[string]string{"город=a": "Омск, Россия", "пусто": "", "a": "50% & <b>"}
	one.Body = []byte(`{"a":"50% & <b>"}`)
	two.Step, two.Verdict = "", event.BadToken
	f.insert(one, two)
	if err := f.db.SaveEndpointState(context.Background(),
		event.EndpointState{Endpoint: "shop", State: "removed", UpdatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	between := one.ReceivedAt.Add(500 * time.Microsecond)
	for query, wants := range map[string][]event.Event{
		"":                                {two, one},
		"source=shop":                     {one},
		"source=shop&source=school":       {two, one},
		"step=paid":                       {one},
		"step=":                           {two},
		"step=paid&step=":                 {two, one},
		"kind=conversation_closed":        {one},
		"verdict=bad_token":               {two},
		"channel=telegram":                {one},
		"subscriber=2":                    {two},
		"subscriber=tg7&subscriber=2":     {two, one},
		"utm_source=VK":                   {one},
		"utm_medium=cpc":                  {one},
		"utm_campaign=" + escape("x, y"):  {one},
		"utm_campaign=x":                  {},
		"utm_content=" + escape("c=1&d"):  {one},
		"utm_term=" + escape("ё"):         {one},
		"field=" + escape("пусто="):       {one},
		"text=" + escape(`50% & <b>`):     {one},
		"text=" + escape(`'; DROP TABLE`): {},
		"id=" + two.ID.String():           {two},
		"from=" + escape(between.In(time.FixedZone("", 3*3600)).Format(time.RFC3339Nano)): {two},
		"until=" + escape(between.Format(time.RFC3339Nano)):                               {one},
		"to=" + escape(between.Format(time.RFC3339Nano)):                                  {one}, // its old name
		"since=2h":            {two, one},
		"since=0.01d":         {},
		"undelivered_to=crm":  {two, one},
		"failed_at=crm":       {},
		"undelivered_to=shop": {two, one}, // old deliveries may have an endpoint that was renamed
	} {
		var page api.EventPage
		f.get(readSecret, "/api/v1/events?"+query, &page)
		if got, want := idsOf(page.Events), idsOfStored(wants); !slices.Equal(got, want) {
			t.Errorf("%q selected %d events, want %d", query, len(got), len(want))
		}
	}
	// The client sends a selection in the URL or, if that is too long, in a body.
	sel := event.Selection{Sources: []string{"shop"}, Kinds: []event.Kind{event.KindConversationClosed},
		Channels: []string{"telegram"}, Subscribers: []string{"1"}, UTMSources: []string{"vk"},
		UTMMediums: []string{"cpc"}, UTMCampaigns: []string{"x, y"}, UTMContents: []string{"c=1&d"},
		UTMTerms: []string{"ё"},
		Text:     `50% & <b>`, UndeliveredTo: "crm", Fields: map[string]string{"пусто": ""}, From: &one.ReceivedAt,
		Until: &between, Steps: []string{"paid"}, Verdicts: []event.Verdict{event.Accepted}}
	for _, ids := range [][]uuid.UUID{{one.ID, two.ID}, append(slices.Repeat([]uuid.UUID{uuid.New()}, 5000), one.ID)} {
		sel.IDs = ids
		page, err := f.client(readSecret).Events(context.Background(), sel, 10, "")
		if err != nil || !slices.Equal(idsOf(page.Events), []uuid.UUID{one.ID}) {
			t.Errorf("with %d ids: %v, %v", len(ids), idsOf(page.Events), err)
		}
	}
}

func idsOf(events []api.Event) (ids []uuid.UUID) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func idsOfStored(events []event.Event) (ids []uuid.UUID) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestHostileRequests verifies that an invalid request is rejected with a problem that names the place and shows no
// internals.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 1)...)
	id := uuid.NewString()
	for _, c := range []struct {
		method, path, body string
		status             int
		detail             string
	}{
		{"GET", "/events?sourc=shop", "", 422, "query.sourc: unknown query parameter"},
		{"GET", "/events?kind=nonsense", "", 422, `query.kind: invalid value "nonsense": want flow,`},
		{"GET", "/events?kind=", "", 422, `query.kind`},
		{"GET", "/events?verdict=good", "", 422, "query.verdict"},
		{"GET", "/events?from=yesterday", "", 422, `query.from: invalid time "yesterday": want one such as`},
		{"GET", "/events?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "", 422, "before it begins"},
		{"GET", "/events?until=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "", 422,
			"until and to, its old name, differ"},
		{"POST", "/events/search", `{"selection":{"until":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}}`, 422,
			"until and to, its old name, differ"},
		{"GET", "/events?since=-1h", "", 422, "query.since"},
		{"GET", "/events?since=1h&from=2026-01-01T00:00:00Z", "", 422, "exclude each other"},
		{"GET", "/events?text=a&text=b", "", 422, "query.text: may be given only once"},
		{"POST", "/replays", `{"to":"crm","mode":"all","selection":{"ids":[]}}`, 422,
			"an empty list, which would select everything"},
		{"POST", "/replays", `{"to":"crm","selection":{"sources":[]}}`, 422, "selection.sources"},
		{"GET", "/events?field=novalue", "", 422, "query.field"},
		{"GET", "/events?field=a=1&field=a=2", "", 422, "query.field"},
		{"GET", "/events?id=1", "", 422, `query.id: invalid event id "1"`},
		{"GET", "/events?limit=0", "", 422, "query.limit"},
		{"GET", "/events?limit=1001", "", 422, "query.limit"},
		{"GET", "/events?limit=9999999999999999999999", "", 422, "query.limit"},
		{"GET", "/events?cursor=x", "", 422, "invalid cursor"},
		{"GET", "/events?cursor=" + strings.Repeat("_", 32), "", 422, "invalid cursor"},
		{"GET", "/events?source=%zz", "", 422, "query: invalid query"},
		{"GET", "/events?source=a;b", "", 422, "query: invalid query"},
		{"GET", "/events/1", "", 422, "path.id"},
		{"GET", "/events?from=2026-01-31T13:00:00+03:00", "", 422, `query.from: invalid time "2026-01-31T13:00:00 03:00"`},
		{"GET", "/deliveries?last_attempt_until=2026-01-31T13:00:00+03:00", "", 422, "query.last_attempt_until: invalid time"},
		{"GET", "/analytics?until=2026-01-31T13:00:00+03:00", "", 422, "query.until: invalid time"},
		{"GET", "/events/" + id, "", 404, "there is no event " + id},
		{"GET", "/events/" + id + "/raw", "", 404, "there is no event"},
		{"GET", "/events/" + id + "/deliveries", "", 404, "there is no event"},
		{"GET", "/events/..%2f..%2fetc", "", 404, "there is nothing at"},
		{"GET", "/replays/" + id, "", 404, "there is no replay " + id},
		{"GET", "/replays/" + id + "/stream", "", 404, "there is no replay"},
		{"GET", "/replays/" + id + "/diff", "", 404, "there is no replay"},
		{"GET", "/replays/x/stream", "", 422, "path.id"},
		{"GET", "/replays?state=nonsense", "", 422, "query.state"},
		{"GET", "/replays?before=x", "", 422, "query.before"},
		{"GET", "/replays?before=" + id, "", 404, "there is no replay " + id},
		{"POST", "/replays/" + id + "/cancel", "", 404, "there is no replay"},
		{"PATCH", "/replays/" + id, `{"state":"paused"}`, 404, "there is no replay"},
		{"PATCH", "/replays/" + id, `{}`, 422, "give a state"},
		{"PATCH", "/replays/" + id, `{"state":"done"}`, 422, "body.state"},
		{"PATCH", "/replays/" + id, `{"rate":-1}`, 422, "body.rate"},
		{"PATCH", "/replays/" + id, `{"rate":"1"}`, 422, "body.rate"},
		{"POST", "/endpoints/nonsense/pause", "", 404, "there is no endpoint"},
		{"POST", "/replays", ``, 400, ""},
		{"POST", "/replays", `{`, 400, ""},
		{"POST", "/replays", `[]`, 422, "body"},
		{"POST", "/replays", `{"selection":{},"to":"crm"} trailing`, 400, ""},
		{"POST", "/replays", `{"to":"crm"}`, 422, "selection"},
		{"POST", "/replays", `{"selection":{}}`, 422, "to"},
		{"POST", "/replays", `{"selection":{"sourc":["a"]},"to":"crm"}`, 422,
			"body.selection.sourc: unexpected property"},
		{"POST", "/replays", `{"selection":{"kinds":["x"]},"to":"crm"}`, 422, "body.selection.kinds[0]"},
		{"POST", "/replays", `{"selection":{"from":"x"},"to":"crm"}`, 422, "body.selection.from"},
		{"POST", "/replays", `{"selection":{"ids":["x"]},"to":"crm"}`, 422, "body.selection.ids[0]"},
		{"POST", "/replays", `{"selection":{},"to":"nonsense"}`, 422,
			`there is no endpoint "nonsense"; the configuration has crm, elsewhere`},
		{"POST", "/replays", `{"selection":{"failed_at":"nonsense"},"to":"crm"}`, 422,
			`there is no endpoint "nonsense"; known are crm, elsewhere`},
		{"GET", "/events?undelivered_to=nonsense", "", 422,
			`there is no endpoint "nonsense"; known are crm, elsewhere`},
		{"GET", "/events?failed_at=https://nowhere.example/", "", 422,
			`there is no endpoint "https://nowhere.example/"; known are crm, elsewhere`},
		{"POST", "/events/search", `{"selection":{"failed_at":"nonsense"}}`, 422, `there is no endpoint "nonsense"`},
		{"POST", "/replays", `{"selection":{},"to":"ftp://x"}`, 422, "must begin with http"},
		{"POST", "/replays", `{"selection":{},"to":"http://127.0.0.1:1/"}`, 422, "127.0.0.1"},
		{"POST", "/replays", `{"selection":{},"to":"http://169.254.169.254/latest"}`, 422, "169.254.169.254"},
		{"POST", "/replays", `{"selection":{},"to":"crm","rate":-1}`, 422, "rate"},
		{"POST", "/replays", `{"selection":{},"to":"crm","concurrency":70000}`, 422, "concurrency"},
		{"POST", "/replays", `{"selection":{},"to":"crm","order":"reverse"}`, 422, "body.order"},
		{"POST", "/replays", `{"selection":{},"to":"crm","headers":[{"name":"A\r\nB","value":"x"}]}`, 422, "header"},
		{"POST", "/replays", `{"selection":{},"to":"crm","headers":[{"name":"Host","value":"x"}]}`, 422, "header"},
		{"DELETE", "/replays", "", 405, "does not allow DELETE"},
		{"GET", "/nonsense", "", 404, "there is nothing at"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := f.ask(adminSecret, c.method, "/api/v1"+c.path, body)
		p := a.problem(t)
		if a.status != c.status || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s %s %s: %d %s, want %d with %q", c.method, c.path, c.body, a.status, p.Detail, c.status,
				c.detail)
		}
		for _, internal := range []string{"SELECT", "DB::", "goroutine", "hooktape/", "unmarshal"} {
			if strings.Contains(string(a.body), internal) {
				t.Errorf("%s %s shows something internal: %s", c.method, c.path, a.body)
			}
		}
	}
	if a := f.ask(adminSecret, "POST", "/api/v1/events/search",
		`{"selection":{"text":"`+strings.Repeat("x", 9<<20)+`"}}`); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("body of 9 MiB: %d %.200s", a.status, a.body)
	}
	if strings.Contains(f.log.String(), "level=ERROR") {
		t.Errorf("the log has rejected requests as errors:\n%s", f.log)
	}
}

// TestRaw verifies that the bytes of a body are unchanged, and that no browser displays them as a page.
func TestRaw(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, body := range map[string][]byte{"every byte": all, "a page": []byte("<script>alert(1)</script>"),
		"nothing": {}, "a lot": bytes.Repeat([]byte("Ёlka\n"), 200_000)} {
		e := newEvent("shop", 1)
		e.ID, e.Body, e.BodySHA256 = uuid.New(), body, sha256.Sum256(body)
		e.Headers = append(e.Headers, event.Header{Name: "X-A", Value: "\xff"}, event.Header{Name: "x-a", Value: "2"})
		f.insert(e)
		path := "/api/v1/events/" + e.ID.String()
		a := f.ask(readSecret, "GET", path+"/raw", nil)
		if !bytes.Equal(a.body, body) {
			t.Errorf("%s: %d bytes differ from the %d stored", name, len(a.body), len(body))
		}
		want := map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
			"Content-Disposition": `attachment; filename="` + e.ID.String() + `.body"`, "Cache-Control": "no-store"}
		for header, value := range want {
			if a.header.Get(header) != value {
				t.Errorf("%s: %s is %q, want %q", name, header, a.header.Get(header), value)
			}
		}
		var shown api.Event
		f.get(readSecret, path, &shown)
		if !bytes.Equal(shown.Request.Bytes(), body) {
			t.Errorf("%s: the event's JSON has different bytes", name)
		}
		if names := slices.Collect(maps.Keys(shown.Decoded)); len(names) == 0 || shown.Deliveries == nil ||
			len(shown.Request.Headers) != 3 {
			t.Errorf("%s: got the event %+v", name, shown)
		}
		got, err := f.client(readSecret).Body(context.Background(), e.ID)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: the client got %d bytes, %v", name, len(got), err)
		}
	}
}

// TestViewsAreAudited verifies that the audit log has who viewed a body, once an hour for each, but not who listed
// events.
func TestViewsAreAudited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newEvent("shop", 1)
	f.insert(e)
	path := "/api/v1/events/" + e.ID.String()
	for range 2 {
		f.ask(readSecret, "GET", path, nil)
		f.ask(readSecret, "GET", path+"/raw", nil)
		f.ask(readSecret, "GET", "/api/v1/events", nil)
	}
	f.ask(adminSecret, "GET", path, nil)
	var log api.AuditPage
	f.get(adminSecret, "/api/v1/audit-log", &log)
	var lines []string
	for _, e := range log.Entries {
		lines = append(lines, e.Who+" "+e.Action+" "+e.Target+" "+e.RemoteIP)
	}
	id := e.ID.String() + " 127.0.0.1"
	if want := []string{"boss event.view " + id, "reader event.download " + id,
		"reader event.view " + id}; strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("the audit log:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestBodyGone verifies that an event whose body was deleted says so instead of showing an empty body.
func TestBodyGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newEvent("shop", 1)
	e.Body, e.BodySHA256 = nil, sha256.Sum256([]byte("what it was"))
	f.insert(e)
	path := "/api/v1/events/" + e.ID.String()
	var shown api.Event
	f.get(readSecret, path, &shown)
	if !shown.Request.BodyGone || shown.Request.BodySHA256 != hex.EncodeToString(e.BodySHA256[:]) {
		t.Errorf("got the request %+v", shown.Request)
	}
	if a := f.ask(readSecret, "GET", path+"/raw", nil); a.status != http.StatusGone ||
		!strings.Contains(string(a.body), "past its retention") {
		t.Errorf("body: %d %s", a.status, a.body)
	}
	if body, err := f.client(readSecret).Body(context.Background(), e.ID); err == nil ||
		!strings.Contains(err.Error(), "past its retention") {
		t.Errorf("the client got %q, %v", body, err)
	}
}

// TestClickHouseAway verifies that the API reports that ClickHouse is away, shows no internals, and logs the reason.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	storetest.Migrate(t, engine.DSN("hooktape"))
	f := fixtureOn(t, engine.DSN("hooktape"), false)
	r := func(path string) answer { return f.ask(readSecret, "GET", path, nil) }
	testutil.Eventually(f.t, func() error { return ready(r("/readyz"), 200, `"ready":true`) })
	engine.Kill()
	for _, path := range []string{"/events", "/events/" + uuid.NewString(), "/endpoints", "/replays",
		"/replays/" + uuid.NewString() + "/stream", "/events/last", "/events?id=last", "/deliveries?event=last",
		"/replays?before=last", "/replays/last/stream", "/ids/delivery/last"} {
		a := r("/api/v1" + path)
		p := a.problem(t)
		if a.status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "ClickHouse does not answer now") ||
			a.header.Get("Retry-After") == "" {
			t.Errorf("GET %s: %d %s %v", path, a.status, p.Detail, a.header)
		}
		if strings.Contains(string(a.body), "127.0.0.1") || strings.Contains(string(a.body), "SELECT") {
			t.Errorf("GET %s shows something internal: %s", path, a.body)
		}
	}
	if !strings.Contains(f.log.String(), "the API could not answer") ||
		!strings.Contains(f.log.String(), "operation=list-events") {
		t.Errorf("the log does not contain the reason:\n%s", f.log)
	}
	testutil.Eventually(f.t, func() error { return ready(r("/readyz"), 503, `"ready":false`) })
	if a := r("/healthz"); a.status != 200 {
		t.Errorf("healthz: %d while ClickHouse is away", a.status)
	}
	if a := r("/readyz"); strings.Contains(string(a.body), "SELECT") || strings.Contains(string(a.body), "127.0.0.1") {
		t.Errorf("readyz shows an internal message: %s", a.body)
	}
	if _, err := f.client(readSecret).Replays(context.Background(), uuid.Nil, 1); err == nil ||
		!strings.Contains(err.Error(), "ClickHouse does not answer") {
		t.Errorf("the client returned %v", err)
	}
	f.server.Close()
	if _, err := f.client(readSecret).Replays(context.Background(), uuid.Nil, 1); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("the client returned %v", err)
	}
}

func ready(a answer, status int, text string) error {
	if a.status != status || !strings.Contains(string(a.body), text) {
		return fmt.Errorf("readyz: %d %s", a.status, a.body)
	}
	return nil
}
