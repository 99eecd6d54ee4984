package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

// TestTestEndpoint verifies that a test request is marked as a test and otherwise sent like a delivery, and that only
// the audit log records it.
func TestTestEndpoint(t *testing.T) {
	db, err := store.Open(storetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
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

	a, err := service.TestEndpoint(context.Background(),
		replay.Actor{Name: "boss", RemoteIP: netip.MustParseAddr("192.0.2.1")}, "crm")
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != http.StatusTeapot || a.Outcome != event.OutcomeStatus ||
		!strings.Contains(string(a.ResponseBody), "closed today") || strings.Contains(a.URL, "secret") {
		t.Errorf("got the attempt %+v", a)
	}
	if got.Header.Get("X-Hooktape-Test") != "1" || got.Header.Get("X-Key") != "secret" ||
		got.Header.Get("Webhook-Signature") == "" || got.Header.Get("Content-Type") != "application/json" ||
		got.Method != "POST" {
		t.Errorf("the receiver got %s %v", got.Method, got.Header)
	}
	sent := fmt.Sprint(a.RequestHeaders)
	if !strings.Contains(sent, "X-Key ***}") || !strings.Contains(sent, "Webhook-Signature ***}") ||
		!strings.Contains(sent, "X-Hooktape-Test 1}") || strings.Contains(sent, "secret") {
		t.Errorf("the test was stored as %s", sent)
	}
	if a, err := service.TestEndpoint(context.Background(), replay.Actor{Name: "boss"}, "private"); err != nil ||
		a.Outcome != event.OutcomeForbidden {
		t.Errorf("test of a private address: %+v, %v", a, err)
	}
	for _, to := range []string{"nosuch", receiver.URL} {
		if _, err := service.TestEndpoint(context.Background(), replay.Actor{Name: "boss"}, to); err == nil {
			t.Errorf("no error for a test of %s", to)
		}
	}
	entries, err := db.AuditLog(context.Background(), 10)
	if err != nil || len(entries) != 2 || entries[1].Action != "endpoint.test" || entries[1].Target != "crm" ||
		entries[1].Who != "boss" || entries[1].RemoteIP != "192.0.2.1" {
		t.Errorf("got the audit log %+v, %v", entries, err)
	}
}
