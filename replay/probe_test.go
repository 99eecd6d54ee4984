package replay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"hooktape/event"
	"hooktape/internal/enginetest"
	"hooktape/replay"
	"hooktape/store"
)

// TestTestEndpoint sends what says of itself that it is a test, as a delivery would be sent, and keeps nothing but who did it.
func TestTestEndpoint(t *testing.T) {
	db, err := store.Open(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	var got *http.Request
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.Error(w, "closed today", http.StatusTeapot)
	}))
	defer receiver.Close()
	crm := replay.DefaultEndpoint("crm", receiver.URL+"/hooks?key=secret")
	crm.Headers, crm.AllowPrivate = []event.Header{{Name: "X-Key", Value: "secret"}}, true
	crm.Sign.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	private := replay.DefaultEndpoint("private", receiver.URL)
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm, private} }, false)

	a, err := service.TestEndpoint(context.Background(), replay.Actor{Name: "boss", RemoteIP: netip.MustParseAddr("192.0.2.1")}, "crm")
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != http.StatusTeapot || a.Outcome != event.OutcomeStatus || !strings.Contains(string(a.ResponseBody), "closed today") || strings.Contains(a.URL, "secret") {
		t.Errorf("the attempt is %+v", a)
	}
	if got.Header.Get("X-Hooktape-Test") != "1" || got.Header.Get("X-Key") != "secret" || got.Header.Get("Webhook-Signature") == "" || got.Header.Get("Content-Type") != "application/json" || got.Method != "POST" {
		t.Errorf("the receiver gets %s %v", got.Method, got.Header)
	}
	if a, err := service.TestEndpoint(context.Background(), replay.Actor{Name: "boss"}, "private"); err != nil || a.Outcome != event.OutcomeForbidden {
		t.Errorf("to an address that is not allowed: %+v, %v", a, err)
	}
	for _, to := range []string{"nosuch", receiver.URL} {
		if _, err := service.TestEndpoint(context.Background(), replay.Actor{Name: "boss"}, to); err == nil {
			t.Errorf("%s is tested", to)
		}
	}
	entries, err := db.AuditLog(context.Background(), 10)
	if err != nil || len(entries) != 2 || entries[1].Action != "endpoint.test" || entries[1].Target != "crm" || entries[1].Who != "boss" || entries[1].RemoteIP != "192.0.2.1" {
		t.Errorf("the audit log has %+v, %v", entries, err)
	}
}

// TestSentHeaders tells what goes out, and no secret of it.
func TestSentHeaders(t *testing.T) {
	crm := replay.DefaultEndpoint("crm", "https://crm.example.org/?key=secret")
	crm.Headers = []event.Header{{Name: "x-key", Value: "secret"}}
	crm.Sign.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	service := replay.NewService(nil, func() []replay.Endpoint { return []replay.Endpoint{crm} }, false)
	e := event.Event{Received: event.Received{Method: "POST", Headers: []event.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Cookie", Value: "secret"}, {Name: "X-Extra", Value: "old"}}}}
	d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: e.ID}}
	sent := map[string]string{}
	for _, h := range service.SentHeaders(&e, d, 3, []event.Header{{Name: "X-Extra", Value: "secret"}}) {
		sent[h.Name] = h.Value
		if strings.Contains(h.Value, "secret") || strings.Contains(h.Value, "v1,") {
			t.Errorf("%s is shown as %q", h.Name, h.Value)
		}
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "X-Key": "***", "X-Extra": "***", "X-Hooktape-Attempt": "3", "Webhook-Signature": "***", "Idempotency-Key": d.IdempotencyKey()} {
		if sent[name] != want {
			t.Errorf("%s is %q, want %q", name, sent[name], want)
		}
	}
	d.Endpoint = "gone"
	if got := service.SentHeaders(&e, d, 1, nil); got != nil {
		t.Errorf("an endpoint that is not configured gets %v", got)
	}
}
