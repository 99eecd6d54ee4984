package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestRoles verifies that each operation rejects a missing token, a wrong token and too weak a role, in this order and
// before it checks anything else of the request.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	for _, c := range []struct {
		role, method, path string
	}{
		{"read", "GET", "/events"}, {"read", "POST", "/events/search"}, {"read", "GET", "/events/" + id},
		{"read", "GET", "/events/" + id + "/raw"}, {"read", "GET", "/events/" + id + "/deliveries"},
		{"read", "GET", "/endpoints"}, {"read", "GET", "/replays"}, {"read", "GET", "/replays/" + id},
		{"read", "GET", "/replays/" + id + "/stream"}, {"read", "GET", "/replays/" + id + "/diff"},
		{"read", "GET", "/deliveries"}, {"read", "GET", "/deliveries/groups"},
		{"read", "GET", "/deliveries/" + id + "-00000000"}, {"read", "GET", "/replays/" + id + "/deliveries"},
		{"replay", "POST", "/deliveries/retry"}, {"replay", "POST", "/endpoints/crm/pause"},
		{"replay", "POST", "/endpoints/crm/resume"}, {"replay", "POST", "/replays"},
		{"replay", "PATCH", "/replays/" + id}, {"replay", "POST", "/replays/" + id + "/cancel"},
		{"admin", "GET", "/audit-log"}, {"admin", "POST", "/events/accept"}, {"read", "GET", "/views"},
		{"replay", "PUT", "/views/x"}, {"replay", "DELETE", "/views/x"}, {"read", "GET", "/analytics"},
		{"read", "GET", "/analytics/summary"}, {"admin", "POST", "/login-links"}, {"admin", "GET", "/retention"},
		{"admin", "GET", "/storage"},
	} {
		weaker := map[string][]string{"read": nil, "replay": {readSecret}, "admin": {readSecret, replaySecret}}[c.role]
		enough := map[string]string{"read": readSecret, "replay": replaySecret, "admin": adminSecret}[c.role]
		path := "/api/v1" + c.path
		for _, wrong := range []string{"", "x", strings.ToUpper(enough), enough + "x", enough[1:], "boss",
			strings.Repeat("a", 100_000)} {
			a := f.ask(wrong, c.method, path, nil)
			if a.status != http.StatusUnauthorized && len(wrong) < 1000 ||
				a.header.Get("Www-Authenticate") != `Bearer realm="hooktape"` {
				t.Errorf("%s %s with the token %.20q: %d %v", c.method, path, wrong, a.status, a.header)
			}
			if p := a.problem(t); len(wrong) < 1000 &&
				(wrong != "") != strings.HasPrefix(p.Detail, "this token is not in api.tokens") {
				t.Errorf("the token %q: %s", wrong, p.Detail)
			}
			if p := a.problem(t); wrong != "" && strings.Contains(p.Detail, wrong) && len(wrong) > 4 {
				t.Errorf("the answer repeats a wrong token: %s", p.Detail)
			}
		}
		for _, weak := range weaker {
			a := f.ask(weak, c.method, path, nil)
			if p := a.problem(t); a.status != http.StatusForbidden ||
				!strings.Contains(p.Detail, "this needs the role "+c.role) {
				t.Errorf("%s %s with too weak a role: %d %s", c.method, path, a.status, p.Detail)
			}
		}
		if a := f.ask(enough, c.method, path, nil); a.status == http.StatusUnauthorized ||
			a.status == http.StatusForbidden {
			t.Errorf("%s %s with the role %s: %d %s", c.method, path, c.role, a.status, a.body)
		}
	}
	for _, kind := range []string{"Basic", "bearerx", ""} {
		if a := f.ask("", "GET", "/api/v1/events", nil, "Authorization",
			kind+" "+readSecret); a.status != http.StatusUnauthorized {
			t.Errorf("header %q was accepted: %d", kind, a.status)
		}
	}
	if a := f.ask("", "GET", "/api/v1/events", nil, "Authorization",
		"bearer   "+readSecret); a.status != http.StatusOK {
		t.Errorf("\"bearer\" in lower case: %d %s", a.status, a.body)
	}
	if a := f.ask("", "GET", "/api/v1/events?access_token="+readSecret, nil); a.status != http.StatusUnauthorized {
		t.Errorf("token in the URL: %d", a.status)
	}
}

// TestWhere verifies that only admins may use expressions, wherever they are in a request, and that the answer to an
// invalid one has ClickHouse's message.
func TestWhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 3)...)
	const expression = "bothelp_user_id = '1'"
	ways := []struct {
		name string
		ask  func(secret, where string) answer
	}{
		{"in the query", func(secret, where string) answer {
			return f.ask(secret, "GET", "/api/v1/events?where="+escape(where), nil)
		}},
		{"in a search", func(secret, where string) answer {
			return f.ask(secret, "POST", "/api/v1/events/search",
				fmt.Sprintf(`{"selection":{"where":%s}}`, quote(where)))
		}},
		{"in a search, by another spelling", func(secret, where string) answer {
			return f.ask(secret, "POST", "/api/v1/events/search",
				fmt.Sprintf(`{"selection":{"WHERE":%s}}`, quote(where)))
		}},
		{"in a search, twice", func(secret, where string) answer {
			return f.ask(secret, "POST", "/api/v1/events/search",
				fmt.Sprintf(`{"selection":{"where":""},"selection":{"where":%s}}`, quote(where)))
		}},
		{"in a plan", func(secret, where string) answer {
			return f.ask(secret, "POST", "/api/v1/replays",
				fmt.Sprintf(`{"selection":{"where":%s},"to":"crm","dry_run":true}`, quote(where)))
		}},
		{"in a replay", func(secret, where string) answer {
			return f.ask(secret, "POST", "/api/v1/replays",
				fmt.Sprintf(`{"selection":{"where":%s},"to":"crm"}`, quote(where)))
		}},
	}
	for _, way := range ways {
		weak := readSecret
		if strings.Contains(way.name, "plan") || strings.Contains(way.name, "replay") {
			weak = replaySecret
		}
		if a := way.ask(weak, expression); a.status != http.StatusForbidden &&
			a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s, without the role: %d %s", way.name, a.status, a.body)
		}
		if a := way.ask(adminSecret, expression); a.status > 299 && !strings.Contains(way.name, "spelling") {
			t.Errorf("%s: %d %s", way.name, a.status, a.body)
		}
		for _, wrong := range []string{"nonsense(", "no_such_column = 1", "1) OR (1", "sleep(3) SETTINGS readonly = 0",
			"1; DROP TABLE events", "'", "source = 'a' --", "\x00"} {
			a := way.ask(adminSecret, wrong)
			if wrong == "source = 'a' --" && a.status < 300 {
				continue // a comment has no effect outside of the expression
			}
			if p := a.problem(t); a.status != http.StatusUnprocessableEntity ||
				strings.Contains(p.Detail, "received_at <") || strings.Contains(p.Detail, "127.0.0.1") {
				t.Errorf("%s, %q: %d %s", way.name, wrong, a.status, p.Detail)
			}
		}
	}
	if p := f.ask(adminSecret, "GET", "/api/v1/events?where="+escape("source = 'shop' AND no_such_column"),
		nil).problem(t); !strings.Contains(p.Detail, "no_such_column") {
		t.Errorf("ClickHouse's message is missing: %s", p.Detail)
	}
	if p := f.ask(adminSecret, "GET", "/api/v1/events?where="+escape("length(body > 3"),
		nil).problem(t); !strings.Contains(p.Detail, "character 7") {
		t.Errorf("the position is missing: %s", p.Detail)
	}
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
