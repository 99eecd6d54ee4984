package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil/storetest"
)

// TestFilters verifies that each filter of the table finds its event as the API's parameter, as JSON, as the command's
// flag and on the console's page, which has a field for it and a chip to remove it.
func TestFilters(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	if err := os.WriteFile(filepath.Join(i.dir, "hooktape.yaml"),
		fmt.Appendf(nil, replayTestConfig, "http://127.0.0.1:1"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.startReady("serve")
	now := time.Now().UTC().Truncate(time.Microsecond)
	lead := func(at time.Time, source, step, person string, kind event.Kind, verdict event.Verdict) event.Event {
		return event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: source, Step: step,
			Verdict: verdict, Method: "POST", Body: []byte(person)},
			Decoded: event.Decoded{Kind: kind, BothelpUserID: person, Name: person, Channel: person, UTMSource: person,
				UTMMedium: person, UTMCampaign: person, UTMContent: person, UTMTerm: person,
				Fields: map[string]string{"who": person}}}
	}
	wanted := lead(now.Add(-time.Minute), "demo", "paid", "anna", event.KindFlow, event.Accepted)
	other := lead(now.AddDate(0, 0, -2), "shop", "start", "oleg", event.KindUnknown, event.Aborted)
	if err := i.db.InsertEvents(context.Background(), "", []event.Event{wanted, other}); err != nil {
		t.Fatal(err)
	}
	if err := i.db.RecordOutcomes(context.Background(), "", []event.Delivery{
		{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: wanted.ID}, EventReceivedAt: wanted.ReceivedAt,
			State: event.Failed, Attempts: 1, UpdatedAt: now},
		{DeliveryKey: event.DeliveryKey{Endpoint: "v2", EventID: other.ID}, EventReceivedAt: other.ReceivedAt,
			State: event.Delivered, Attempts: 1, UpdatedAt: now},
	}, []event.Attempt{{ID: event.ForwardID(wanted.ID, "v2"), EventID: wanted.ID, Endpoint: "v2", Number: 1,
		StartedAt: wanted.ReceivedAt, Kind: event.AttemptForward, Outcome: event.OutcomeTimeout,
		Fallback: event.FallbackDeadline, MissingKeys: []string{"price", "paid"}},
		{ID: event.ForwardID(wanted.ID, "v3"), EventID: wanted.ID, Endpoint: "v3", Number: 1,
			StartedAt: wanted.ReceivedAt, Kind: event.AttemptForward, Outcome: event.OutcomeBroken, StatusCode: 200},
		{ID: event.ForwardID(other.ID, "v2"), EventID: other.ID, Endpoint: "v2", Number: 1, StartedAt: other.ReceivedAt,
			Kind: event.AttemptForward, Outcome: event.OutcomeDelivered},
	}); err != nil {
		t.Fatal(err)
	}
	yesterday := now.AddDate(0, 0, -1).Format(time.RFC3339)
	find := map[string]string{"since": "1h", "from": yesterday, "until": yesterday, "source": "demo", "step": "paid",
		"kind": "flow", "verdict": "accepted", "channel": "anna", "subscriber": "anna", "utm_source": "ANNA",
		"utm_medium": "anna", "utm_campaign": "anna", "utm_content": "anna", "utm_term": "anna", "field": "who=anna",
		"text": "anna", "undelivered_to": "v2", "failed_at": "crm", "fallback": "any", "missing_key": "price",
		"broken_off": "true",
		"rejected":   "true", "failed": "true", "where": "name = 'anna'", "id": wanted.ID.String()}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	person, base := &http.Client{Jar: jar}, "http://"+i.api
	page := func(r *http.Response, err error) (string, *url.URL) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s\n%s", r.Request.URL, r.Status, text)
		}
		return string(text), r.Request.URL
	}
	page(person.PostForm(base+"/login", url.Values{"token": {"the-token-of-boss-0123"}}))
	ask := func(method, path string, body io.Reader) (*http.Response, error) {
		r, err := http.NewRequest(method, base+"/api/v1/"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer the-token-of-boss-0123")
		r.Header.Set("Content-Type", "application/json")
		return http.DefaultClient.Do(r)
	}
	document, _ := page(http.Get(base + "/openapi.json"))
	start, _ := page(person.Get(base + "/"))

	for _, f := range event.Filters {
		value, ok := find[f.Name]
		if !ok {
			t.Errorf("no test value for the filter %s: add one", f.Name)
			continue
		}
		want := wanted.ID
		if f.Name == "until" || f.Name == "rejected" {
			want = other.ID
		}
		check := func(by, list string) {
			t.Helper()
			if found := idsIn(list); !slices.Equal(found, []uuid.UUID{want}) {
				t.Errorf("%s by %s finds %v, want %s\n%.2000s", f.Name, by, found, want, list)
			}
		}
		query := url.Values{f.Name: {value}}
		list, _ := page(ask("GET", "events?"+query.Encode(), nil))
		check("the API", list)
		if !strings.Contains(document, fmt.Sprintf(`"name":%q`, f.Name)) {
			t.Errorf("the API's document lacks %s", f.Name)
		}
		sel, faults := event.ParseSelection(query, now)
		body, err := json.Marshal(map[string]any{"selection": sel})
		if err != nil || faults != nil {
			t.Errorf("%s: %v, %v", f.Name, faults, err)
		}
		list, _ = page(ask("POST", "events/search", bytes.NewReader(body)))
		check("the API as JSON", list)
		command := i.try("events", "list", "--json", "--"+strings.ReplaceAll(f.Name, "_", "-")+"="+value)
		check("the command", command.out+command.err)

		list, _ = page(person.Get(base + "/?" + query.Encode()))
		check("the console", list)
		if !strings.Contains(list, "<span>"+html.EscapeString(f.Label)+"</span>") {
			t.Errorf("the console has no chip %q", f.Label)
		}
		if f.Name == "since" || f.Name == "id" {
			continue // links set the first, the search box sets the second
		}
		list, at := page(person.Get(base + "/?" + url.Values{"f." + f.Name: {value}}.Encode()))
		if f.IsTime() { // to the minute
			list, _ = page(person.Get(at.String()))
		}
		check("the console's form", list)
		if !strings.Contains(start, `name="f.`+f.Name+`"`) {
			t.Errorf("the console's form has no %s", f.Name)
		}
	}
	i.stop()
}

// idsIn returns the ids of a list's events: JSON of the API or of a command, or a page of the console.
func idsIn(list string) (ids []uuid.UUID) {
	for _, before := range []string{`"id":"`, `"id": "`, `<tr id="e-`} {
		for _, part := range strings.Split(list, before)[1:] {
			if id, err := uuid.Parse(part[:min(len(part), 36)]); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
