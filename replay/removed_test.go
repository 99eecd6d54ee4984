package replay_test

import (
	"context"
	"fmt"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
)

// TestReplayToARemovedEndpoint verifies that a replay to a removed endpoint pauses: nothing is sent to its URL without
// its headers. The URL's query is stored nowhere.
func TestReplayToARemovedEndpoint(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	crm := endpointAt("crm", got.URL+"?token=SECRET", func(e *replay.Endpoint) {
		e.Subscribe, e.Headers = nil, []event.Header{{Name: "Authorization", Value: "Bearer x"}}
	})
	insert(t, db, newEvents("demo", 40)...)
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, true)
	r, err := service.Create(context.Background(), replay.Actor{Name: "test"}, "",
		replay.Request{Selection: event.Selection{Sources: []string{"demo"}}, To: "crm",
			ReplayOptions: event.ReplayOptions{Rate: 10, Concurrency: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := db.Replay(context.Background(), r.ID); err != nil || stored.URL != crm.StoredURL() {
		t.Errorf("the table replays has the URL %s (%v)", stored.URL, err)
	}
	s := startSender(t, db, t.TempDir(), replay.Options{AllowPrivate: true}, crm)
	testutil.Eventually(t, func() error {
		if n := len(got.all()); n < 5 {
			return fmt.Errorf("%d requests", n)
		}
		return nil
	})
	s.runner.SetEndpoints(nil)
	awaitState(t, db, r.ID, event.ReplayPaused)
	for _, one := range got.all() {
		if one.header.Get("Authorization") == "" {
			t.Fatal("a request was sent without the endpoint's Authorization header")
		}
	}
}
