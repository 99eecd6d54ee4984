package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/event"
	"hooktape/replay"
	"hooktape/replay/api"
)

// TestRoles tries every route of the document with no token, a wrong one, and one of each role.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := start(t)
	var document struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}
	s.read(&document, 200, "", "GET", "/openapi.json", "")
	rank := map[string]int{"read": 0, "replay": 1, "admin": 2}
	tokens := []string{reader, sender, admin}
	routes := 0
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if len(operation.Security) != 1 || len(operation.Security[0]["token"]) != 1 {
				t.Errorf("%s %s is open to %v", method, path, operation.Security)
				continue
			}
			routes++
			role := operation.Security[0]["token"][0]
			concrete := strings.NewReplacer("{id}", "01928f3e-0000-7000-8000-0123456789ab", "{name}", "nobody").Replace(path)
			for _, wrong := range []string{"", "wrong-token-0123456789", reader + "x", reader[1:]} {
				if status, head, _ := s.call(wrong, strings.ToUpper(method), concrete, ""); status != 401 || head.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s with the token %q answers %d", method, path, wrong, status)
				}
			}
			for i, token := range tokens {
				if status, _, text := s.call(token, strings.ToUpper(method), concrete, ""); (status == 403) != (i < rank[role]) {
					t.Errorf("%s %s needs %s; a token of rank %d gets %d: %s", method, path, role, i, status, text)
				}
			}
		}
	}
	if routes < 14 {
		t.Errorf("the document has only %d routes", routes)
	}
	if text := s.log.String(); strings.Contains(text, "token-0123456789") {
		t.Errorf("the log shows a token: %s", text)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ method, path, body, status, says string }{
		{"GET", "/api/v1/events/01928f3e-0000-7000-8000-0123456789ab", "", "404", "there is no event"},
		{"GET", "/api/v1/events/x", "", "422", "uuid"},
		{"GET", "/api/v1/events?surce=demo", "", "422", "surce"},
		{"GET", "/api/v1/events?kind=x", "", "422", "none of flow"},
		{"GET", "/api/v1/events?from=yesterday", "", "422", "from"},
		{"GET", "/api/v1/events?cursor=x", "", "422", "cursor"},
		{"GET", "/api/v1/events?where=length(body", "", "422", "where"},
		{"GET", "/api/v1/events?where=true)+UNION+ALL+SELECT+1+--", "", "422", ""},
		{"GET", "/api/v1/events?where=nosuchcolumn=1", "", "422", "nosuchcolumn"},
		{"GET", "/api/v1/nothing", "", "404", "/docs"},
		{"DELETE", "/api/v1/events", "", "405", "DELETE"},
		{"POST", "/api/v1/replays", `{"to":"crm","selection":{}}`, "422", `there is no endpoint \"crm\"`},
		{"POST", "/api/v1/replays", `{"to":"ftp://x/","selection":{}}`, "422", "http"},
		{"POST", "/api/v1/replays", `{`, "400", ""},
		{"POST", "/api/v1/replays/01928f3e-0000-7000-8000-0123456789ab/cancel", "", "404", "there is no replay"},
		{"PATCH", "/api/v1/replays/01928f3e-0000-7000-8000-0123456789ab", `{}`, "422", "give a state"},
	} {
		status, head, text := s.call(admin, c.method, c.path, c.body)
		var p api.Problem
		if err := json.Unmarshal(text, &p); err != nil || fmt.Sprint(status) != c.status || p.Status != status || p.Title == "" ||
			!strings.HasPrefix(head.Get("Content-Type"), "application/problem+json") || !strings.Contains(string(text), c.says) {
			t.Errorf("%s %s: %d %s: %s", c.method, c.path, status, head.Get("Content-Type"), text)
		}
		if strings.Contains(string(text), "param_") || strings.Contains(string(text), "INSERT INTO") {
			t.Errorf("%s %s shows what is internal: %s", c.method, c.path, text)
		}
	}
	if status, _, text := s.call(sender, "GET", "/api/v1/events?where=1", ""); status != 403 || !strings.Contains(string(text), "admin") {
		t.Errorf("where without admin: %d %s", status, text)
	}
	if status, _, text := s.call(sender, "POST", "/api/v1/replays", `{"to":"http://127.0.0.1:9/","selection":{"where":"1"}}`); status != 403 {
		t.Errorf("a replay by where without admin: %d %s", status, text)
	}
}

// TestEventsPageByPage: many events of one microsecond, each seen once, newest first, and the bytes as they came.
func TestEventsPageByPage(t *testing.T) {
	t.Parallel()
	s := start(t)
	events := s.insert(53)
	seen, cursor := []string{}, ""
	for pages := 0; ; pages++ {
		var page api.EventPage
		s.read(&page, 200, reader, "GET", "/api/v1/events?limit=7&source=demo&cursor="+url.QueryEscape(cursor), "")
		for _, e := range page.Events {
			seen = append(seen, e.ID.String())
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	unique := map[string]bool{}
	for _, id := range seen {
		unique[id] = true
	}
	if len(seen) != len(events) || len(unique) != len(events) {
		t.Errorf("%d events, %d of them different, want %d", len(seen), len(unique), len(events))
	}
	e := events[10]
	status, head, body := s.call(reader, "GET", "/api/v1/events/"+e.ID.String()+"/raw", "")
	if status != 200 || !bytes.Equal(body, e.Body) || head.Get("Content-Type") != "application/octet-stream" || head.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("raw: %d %v %q", status, head, body)
	}
	var one api.Event
	s.read(&one, 200, reader, "GET", "/api/v1/events/"+e.ID.String(), "")
	if one.ID != e.ID || one.Request == nil || !bytes.Equal(one.Request.Bytes(), e.Body) {
		t.Errorf("event %+v", one)
	}
	var found api.EventPage
	s.read(&found, 200, admin, "GET", "/api/v1/events?subscriber=7&where="+url.QueryEscape("bothelp_user_id IN ('7', '8')"), "")
	if len(found.Events) != 1 || found.Events[0].ID != events[7].ID {
		t.Errorf("found %+v", found)
	}
}

// TestReplayFromPlanToEnd makes a replay twice under one key, watches it over a connection that breaks, and compares.
func TestReplayFromPlanToEnd(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, requests.Add(1)) }))
	defer endpoint.Close()
	crm := replay.DefaultEndpoint("crm", endpoint.URL+"/?token=verysecret")
	crm.AllowPrivate = true
	s := start(t, crm)
	events := s.insert(40)
	request := `{"to":"crm","selection":{"sources":["demo"]},"rate":20,"headers":[{"name":"X-Key","value":"hushhush"}]`

	var plan api.Plan
	s.read(&plan, 200, sender, "POST", "/api/v1/replays", request+`,"dry_run":true}`)
	if plan.Count != 40 || plan.Seconds != 2 || len(plan.Samples) != 10 || requests.Load() != 0 {
		t.Errorf("plan %+v, %d requests", plan, requests.Load())
	}
	var made, again event.Replay
	head := s.read(&made, 201, sender, "POST", "/api/v1/replays", request+`}`, "Idempotency-Key", "k1")
	s.read(&again, 201, sender, "POST", "/api/v1/replays", request+`}`, "Idempotency-Key", "k1")
	if made.ID != again.ID || made.CreatedBy != "sam" || made.Total != 40 || head.Get("Location") != "/api/v1/replays/"+made.ID.String() {
		t.Errorf("made %+v and %+v", made, again)
	}
	if status, _, text := s.call(sender, "POST", "/api/v1/replays", `{"to":"crm","selection":{"sources":["other"]}}`, "Idempotency-Key", "k1"); status != 409 {
		t.Errorf("the key for another replay: %d %s", status, text)
	}
	path := "/api/v1/replays/" + made.ID.String()
	s.read(nil, 202, sender, "PATCH", path, `{"state":"paused"}`)
	var paused event.Replay
	s.read(&paused, 200, reader, "GET", path, "")
	if paused.State != event.ReplayPaused {
		t.Errorf("paused is %s", paused.State)
	}
	s.read(nil, 202, sender, "PATCH", path, `{"state":"running","rate":100}`)

	proxy := breakingProxy(t, strings.TrimPrefix(s.url, "http://"))
	client, err := api.NewClient("http://"+proxy, reader)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(background, 40*time.Second)
	defer cancel()
	var last api.Progress
	if err := client.Watch(ctx, made.ID, func(p api.Progress, lost error) error {
		if lost == nil {
			last = p
		}
		return nil
	}); err != nil {
		t.Fatalf("watch: %v", err)
	}
	if last.Replay.State != event.ReplayDone || last.Replay.Counts[event.Delivered] != 40 || requests.Load() != 40 {
		t.Errorf("at the end %+v, %d requests", last, requests.Load())
	}
	var diff api.Diff
	s.read(&diff, 200, reader, "GET", path+"/diff", "")
	if diff.OnlyHere != 40 {
		t.Errorf("diff %+v", diff)
	}
	s.read(&plan, 200, sender, "POST", "/api/v1/replays", request+`}`) // all is delivered: nothing is made
	if plan.Count != 0 || plan.Delivered != 40 {
		t.Errorf("the plan afterwards is %+v", plan)
	}
	var deliveries api.DeliveryList
	s.read(&deliveries, 200, reader, "GET", "/api/v1/events/"+events[0].ID.String()+"/deliveries", "")
	if len(deliveries.Deliveries) != 1 || len(deliveries.Deliveries[0].Attempts) != 1 || deliveries.Deliveries[0].State != event.Delivered {
		t.Errorf("deliveries %+v", deliveries)
	}
	_, _, listed := s.call(reader, "GET", "/api/v1/replays", "")
	_, _, shown := s.call(reader, "GET", "/api/v1/events/"+events[0].ID.String(), "")
	_, _, endpoints := s.call(reader, "GET", "/api/v1/endpoints", "")
	_, _, audited := s.call(admin, "GET", "/api/v1/audit-log", "")
	for name, text := range map[string][]byte{"replays": listed, "event": shown, "endpoints": endpoints, "audit": audited} {
		if bytes.Contains(text, []byte("verysecret")) || bytes.Contains(text, []byte("hushhush")) {
			t.Errorf("%s shows a secret: %s", name, text)
		}
	}
	for _, action := range []string{"replay.create", "replay.pause", "replay.resume", "replay.set-rate"} {
		if !bytes.Contains(audited, []byte(action)) {
			t.Errorf("the audit log has no %s: %s", action, audited)
		}
	}
}

// breakingProxy passes connections on, and cuts the first two after a while.
func breakingProxy(t *testing.T, to string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			in, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			if n < 2 {
				time.AfterFunc(300*time.Millisecond, func() { in.Close(); out.Close() })
			}
			pipe := func(a, b net.Conn) {
				buffer := make([]byte, 4096)
				for {
					n, err := a.Read(buffer)
					if err != nil {
						b.Close()
						return
					}
					if _, err := b.Write(buffer[:n]); err != nil {
						a.Close()
						return
					}
				}
			}
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
	return listener.Addr().String()
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, head, page := s.call("", "GET", "/docs", "")
	if !strings.Contains(head.Get("Content-Security-Policy"), "default-src 'none'") || !bytes.Contains(page, []byte("/api/v1/replays")) {
		t.Errorf("the page: %v %.200s", head, page)
	}
	for _, outside := range []string{"http://", "https://", "//unpkg", "<script"} {
		if i := bytes.Index(page, []byte(outside)); i >= 0 && !bytes.Contains(page[max(0, i-60):i+60], []byte("example")) && outside != "http://" && outside != "https://" {
			t.Errorf("the page has %s: %s", outside, page[max(0, i-60):i+60])
		}
	}
	var document struct{ OpenAPI string }
	s.read(&document, 200, "", "GET", "/openapi.json", "")
	if !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", document.OpenAPI)
	}
}
