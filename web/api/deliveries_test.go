package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// TestDeliveries verifies the lists of a replay's deliveries and failures, with every filter.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hooktape-Event-Id") == "" {
			t.Error("got a request without the event's id")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("\n  busy: 17 of 20 \x1b[31m\nmore\n"))
	})
	f.insert(newEvents("shop", 5)...)
	r := f.awaitEnd(f.create("shop", nil).ID)

	var page api.DeliveryPage
	f.get(readSecret, "/api/v1/replays/"+r.ID.String()+"/deliveries?state=failed&limit=2", &page)
	if len(page.Deliveries) != 2 || page.Next == "" {
		t.Fatalf("first page: %+v", page)
	}
	seen := map[string]bool{}
	for cursor := ""; ; cursor = page.Next {
		page = api.DeliveryPage{}
		f.get(readSecret, "/api/v1/deliveries?limit=2&replay="+r.ID.String()+"&cursor="+cursor, &page)
		for _, d := range page.Deliveries {
			seen[d.ID] = true
			if d.State != event.Failed || d.AttemptCount != 2 || d.Answer != "busy: 17 of 20 \x1b[31m" || d.Outcome != event.OutcomeStatus || d.StatusCode != 503 ||
				d.FirstAttemptAt == nil || !d.LastAttemptAt.After(*d.FirstAttemptAt) || d.ReplayID != r.ID || d.Endpoint != "crm" || d.Attempts != nil {
				t.Errorf("got the delivery %+v", d)
			}
		}
		if page.Next == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d deliveries on the pages, want 5", len(seen))
	}
	var one api.Delivery
	for id := range seen {
		f.get(readSecret, "/api/v1/deliveries/"+id, &one)
		if len(one.Attempts) != 2 || one.ID != id {
			t.Errorf("got the delivery %+v", one)
		}
	}
	var groups api.FailureGroupList
	f.get(readSecret, "/api/v1/deliveries/groups?replay="+r.ID.String(), &groups)
	if len(groups.Groups) != 1 || groups.Groups[0].Count != 5 || groups.Groups[0].Subscribers != 5 || groups.Groups[0].Line != "busy: # of # \x1b[#m" {
		t.Fatalf("got the groups %+v", groups)
	}
	f.get(readSecret, "/api/v1/deliveries?group="+groups.Groups[0].Key, &page)
	if len(page.Deliveries) != 5 {
		t.Errorf("the group has %d deliveries", len(page.Deliveries))
	}
	for path, status := range map[string]int{
		"/api/v1/deliveries?stat=failed":                                    http.StatusUnprocessableEntity,
		"/api/v1/deliveries?state=done":                                     http.StatusUnprocessableEntity,
		"/api/v1/deliveries?endpoint=nowhere":                               http.StatusUnprocessableEntity,
		"/api/v1/deliveries?status_code=6xx":                                http.StatusUnprocessableEntity,
		"/api/v1/deliveries?replay=x":                                       http.StatusUnprocessableEntity,
		"/api/v1/deliveries?group=" + url.QueryEscape("' OR 1 = 1"):         http.StatusUnprocessableEntity,
		"/api/v1/deliveries?cursor=x":                                       http.StatusUnprocessableEntity,
		"/api/v1/deliveries?first_attempt_from=yesterday":                   http.StatusUnprocessableEntity,
		"/api/v1/deliveries/x":                                              http.StatusUnprocessableEntity,
		"/api/v1/deliveries/" + uuid.NewString() + "-00000000":              http.StatusNotFound,
		"/api/v1/replays/" + uuid.NewString() + "/deliveries":               http.StatusNotFound,
		"/api/v1/replays/" + r.ID.String() + "/deliveries?replay=live":      http.StatusUnprocessableEntity,
		"/api/v1/deliveries?subscriber=" + url.QueryEscape("'; DROP TABLE"): http.StatusOK,
	} {
		if a := f.ask(readSecret, "GET", path, nil); a.status != status {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, status)
		}
	}
	if columns := api.DeliveryColumns().Names(); !slices.Contains(columns, "answer") {
		t.Errorf("got the columns %v", columns)
	}
}
