package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/testutil/storetest"
)

// TestEventsAccept: a lead that a real hook rejects, because it comes with last month's token, is shown with its reason
// and its name, accepted over the API, and arrives at the CRM as it came.
func TestEventsAccept(t *testing.T) {
	t.Parallel()
	target := newReceiver(t)
	i := newInstance(t, storetest.DSN(t))
	writeFile(t, filepath.Join(i.dir, "hooktape.yaml"), fmt.Sprintf(replayTestConfig, target.URL))
	i.startReady("serve")
	const lead = `{"bothelp_user_id":47659,"name":"Анна Петрова","phone":"+79161234567"}`
	old := strings.Replace(i.hookURL(), "the-token-of-demo-0123", "the-token-of-last-month", 1) + "/paid"
	for _, body := range []string{lead, `{"name":"` + strings.Repeat("x", 70_000) + `"}`} {
		r, err := http.Post(old, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != http.StatusNotFound {
			t.Fatalf("the old token is answered with %s", r.Status)
		}
	}
	over := func(args ...string) result {
		return i.try(append([]string{"--api-url", "http://" + i.api}, args...)...)
	}
	var list result
	i.eventually("both requests are stored", func() error {
		if list = i.try("events", "list", "--rejected", "--since", "1h"); strings.Count(list.out,
			"the token in the URL is wrong") != 2 {
			return errors.New(list.out + list.err)
		}
		return nil
	})
	if again := over("events", "list", "--rejected", "--since", "1h"); again != list {
		t.Errorf("the API's list is another one:\n%v\n%v", again, list)
	}
	for _, want := range []string{"Анна Петрова", "+79161234567", "127.0.0.1", "complete", "64 KiB of 68.4 KiB"} {
		if !strings.Contains(list.out, want) {
			t.Errorf("the list has no %q:\n%s", want, list.out)
		}
	}
	var id, cut string
	for line := range strings.Lines(list.out) {
		if words := strings.Fields(line); strings.Contains(line, "Анна") {
			id = words[len(words)-1]
		} else if strings.Contains(line, "KiB") {
			cut = words[len(words)-1]
		}
	}
	if got := over("events", "accept", cut); got.code != 1 ||
		!strings.Contains(got.err, "only the start of its body is stored") {
		t.Errorf("a part of a body: %+v", got)
	}
	for _, want := range []string{id + " accepted\n", id + " was accepted before\n"} {
		if got := over("events", "accept", id); got.code != 0 || got.out != want {
			t.Errorf("events accept: %+v, want %q", got, want)
		}
	}
	if got := i.try("events", "show", id); !strings.Contains(got.out, "accepted  by boss, ") ||
		!strings.Contains(got.out, "rejected before: the token in the URL is wrong") ||
		!strings.Contains(got.out, "47659") {
		t.Errorf("the accepted event is\n%s%s", got.out, got.err)
	}
	if got := over("replay", "create", "--subscriber", "47659", "--to", "crm"); got.code != 0 {
		t.Errorf("the replay: %+v", got)
	}
	i.stop()
	target.mu.Lock()
	defer target.mu.Unlock()
	if len(target.body) != 1 || target.body[id] != lead {
		t.Errorf("the CRM got %q", target.body)
	}
}
