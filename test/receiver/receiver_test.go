package receiver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/test/receiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) *receiver.Receiver {
	t.Helper()
	s, err := receiver.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// post sends a delivery as hooktape does. It returns nil if there is no answer.
func post(t *testing.T, s *receiver.Receiver, event, replay uuid.UUID, attempt string) *http.Response {
	t.Helper()
	client := &http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodPost, s.URL(),
		strings.NewReader(`{"a":1,"bothelp_user_id":"47659","b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Hooktape-Event-Id", event.String())
	request.Header["x-hooktape-replay-id"] = []string{replay.String()}
	request.Header.Set("X-Hooktape-Attempt", attempt)
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response
}

func TestBehaviours(t *testing.T) {
	s := listen(t)
	event, replay := uuid.New(), uuid.New()
	for i, c := range []struct {
		behaviour receiver.Behaviour
		status    int
	}{{receiver.OK, 200}, {receiver.Unavailable, 503}, {receiver.Hang, 0}, {receiver.Reset, 0},
		{receiver.Busy(7 * time.Second), 429}} {
		s.Behave(c.behaviour)
		response := post(t, s, event, replay, "3")
		if (response == nil) != (c.status == 0) || response != nil && response.StatusCode != c.status {
			t.Errorf("case %d: answered %+v", i, response)
		}
		if c.status == 429 && response.Header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
		}
		got := s.Receipts()
		if len(got) != i+1 {
			t.Fatalf("case %d: %d requests in the ledger", i, len(got))
		}
		last := got[i]
		if last.Event != event || last.Replay != replay || last.Attempt != 3 || last.Subscriber != 47659 ||
			last.Status != c.status || time.Since(last.At) > time.Minute {
			t.Errorf("case %d: recorded %+v", i, last)
		}
	}
	if s.Accepted() != 1 || s.Requests() != 5 {
		t.Errorf("%d accepted of %d", s.Accepted(), s.Requests())
	}
}

// TestDownWaitsForHandlers verifies that no handler writes into a ledger that its test reads after Down.
func TestDownWaitsForHandlers(t *testing.T) {
	asked, ended := make(chan struct{}), false
	s, err := receiver.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		<-time.After(50 * time.Millisecond) // a slow one
		ended = true
	}), receiver.OK)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{}}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if response, err := client.Get("http://" + s.Addr); err == nil {
			response.Body.Close()
			t.Errorf("answered %s", response.Status)
		}
	}()
	<-asked
	s.Down()
	if !ended {
		t.Error("a handler still runs")
	}
	<-answered
}

func TestDownAndUp(t *testing.T) {
	s := listen(t)
	s.Down()
	if response := post(t, s, uuid.New(), uuid.Nil, "1"); response != nil {
		t.Errorf("answered %s while down", response.Status)
	}
	if err := s.Up(); err != nil {
		t.Fatal(err)
	}
	s.Refuse(func(subscriber uint64) bool { return subscriber == 47659 })
	if response := post(t, s, uuid.New(), uuid.Nil, "1"); response == nil || response.StatusCode != 400 {
		t.Errorf("answered %+v", response)
	}
}
