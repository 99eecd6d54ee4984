package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// deliveriesFixture has two endpoints, and a replay of four events to crm: two were delivered, one was refused for its
// phone number, and for one the database was locked.
func deliveriesFixture(t *testing.T) (f *fixture, events []event.Event, replayed uuid.UUID) {
	billing := replay.DefaultEndpoint("billing", newReceiver(t).URL)
	billing.AllowPrivate = true
	f = newFixture(t, billing)
	for i, name := range []string{"Анна Петрова", "Иван", "Мария", "Олег"} {
		events = append(events, newLead(fmt.Sprint(i), name, time.Duration(i+1)*time.Minute))
	}
	f.insert(events...)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Hooktape-Event-Id") {
		case events[0].ID.String():
			http.Error(w, "phone 79001234567 is wrong", http.StatusUnprocessableEntity)
		case events[1].ID.String():
			http.Error(w, "the database is locked", http.StatusServiceUnavailable)
		}
	})
	return f, events, f.replayOf(f.login(replaySecret), "since=1h&endpoint=crm")
}

var deliveryRow = regexp.MustCompile(`hx-get="/deliveries/([0-9a-f-]{36})-[0-9a-f]{8}"`)

// delivered returns the ids of the events in a list of deliveries.
func deliveredIn(page string) (ids []string) {
	for _, match := range deliveryRow.FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestDeliveries checks the list of deliveries on its page, on that of a replay and on that of an endpoint.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	f, events, replayed := deliveriesFixture(t)
	p := f.login(replaySecret)
	ofReplay, ofCRM := "/replays/"+replayed.String(), "/endpoints/crm"
	other := f.replayOf(p, "id="+events[2].ID.String()+"&endpoint=billing")
	for path, want := range map[string][]int{
		"/deliveries":                     {0, 1, 2, 2, 3},
		"/deliveries?endpoint=billing":    {2},
		"/deliveries?state=failed":        {0, 1},
		"/deliveries?status_code=5xx":     {1},
		"/deliveries?replay=live":         nil,
		ofReplay:                          {0, 1, 2, 3},
		ofReplay + "?state=delivered":     {2, 3},
		"/replays/" + other.String():      {2},
		ofCRM:                             {0, 1, 2, 3},
		ofCRM + "?state=failed&since=1h":  {0, 1},
		"/endpoints/billing?state=failed": nil,
		ofCRM + "?from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z": nil,
	} {
		var ids []string
		for _, i := range want {
			ids = append(ids, events[i].ID.String())
		}
		page := p.page(path)
		if got := deliveredIn(page); strings.Join(got, " ") != strings.Join(ids, " ") {
			t.Errorf("%s lists %v, want %v", path, got, ids)
		}
		if strings.Contains(page, "No delivery matches") != (want == nil) {
			t.Errorf("%s: the list is empty: %t", path, want != nil)
		}
	}
	page := p.page(ofReplay)
	for _, want := range []string{"completed with 2 failures", "2 of 4 delivered", "phone # is wrong", "the database is locked", "Анна Петрова"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of the replay has no %q", want)
		}
	}
	if strings.Contains(page, "No event matches") || strings.Contains(page, "100.0 %") || strings.Contains(page, `label good">completed`) {
		t.Error("the page of a replay with failures looks like a success")
	}
	if page = p.page("/replays"); !strings.Contains(page, `label bad">completed with 2 failures`) || !strings.Contains(page, `label good">completed<`) {
		t.Error("the list of replays does not tell a success from failures")
	}
	group := linkIn(p.page("/deliveries"), `data-label="Deliveries"><a href="`)
	if got := deliveredIn(p.page(group)); len(got) != 1 {
		t.Errorf("the first group %s has %v", group, got)
	}
	attempts := p.get("/deliveries/"+deliveryIDs(p.page("/deliveries?status_code=503"))[0], "HX-Request", "true")
	if n := strings.Count(attempts.body, `<details class="attempt"`); n != 2 || !strings.Contains(attempts.body, "the database is locked") {
		t.Errorf("a row opens %d attempts: %s", n, attempts.body)
	}
	for path, status := range map[string]int{"/deliveries?stat=failed": 422, "/deliveries?state=done": 422, ofReplay + "?replay=live": 422, ofCRM + "?endpoint=billing": 422,
		"/deliveries/x": 404, "/deliveries/" + uuid.NewString() + "-00000000": 404, "/endpoints/nowhere": 404, "/deliveries?cursor=x": 422} {
		if a := p.get(path); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
	form := "/deliveries?endpoint=&from=2026-01-31T13:00&until=2026-01-31T13:00&status_code=&state=failed"
	if got := p.get(form).header.Get("Location"); got != "/deliveries?from=2026-01-31T13%3A00%3A00Z&state=failed&until=2026-01-31T13%3A00%3A00Z" {
		t.Errorf("the form leads to %s", got)
	}
	text := strings.TrimPrefix(p.get("/deliveries.csv?state=failed").body, api.ByteOrderMark)
	if records, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(records) != 3 {
		t.Errorf("the CSV has %d records, %v", len(records), err)
	}
}

// deliveryIDs returns the ids of the deliveries in a list.
func deliveryIDs(page string) (ids []string) {
	for _, match := range regexp.MustCompile(`hx-get="/deliveries/([0-9a-f-]{45})"`).FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestLastError: an endpoint's last error is unresolved until its event was delivered.
func TestLastError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "closed", http.StatusBadRequest) })
	p := f.login(replaySecret)
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm")
	if page := p.page("/endpoints"); !strings.Contains(page, "not delivered since") || !strings.Contains(page, "400 Bad Request") || !strings.Contains(page, "Latency p50") {
		t.Errorf("the page of endpoints is %s", page)
	}
	f.receiver.answers(nil)
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm&rate=9")
	if page := p.page("/endpoints"); !strings.Contains(page, "resolved: delivered <time") {
		t.Errorf("after the delivery the page of endpoints is %s", page)
	}
}
