package push_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
	"hooktape/internal/testutil/grafanatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// target is a Grafana under test.
type target struct {
	t          *testing.T
	url, token string
	fake       *grafanatest.Server // nil: a real Grafana
}

// eachGrafana runs a test on the fake Grafana and, if GRAFANA_URL and GRAFANA_TOKEN are set, on that one. There it uses
// its own uids and deletes what it created.
func eachGrafana(t *testing.T, test func(g target, b push.Bundle)) {
	t.Run("fake", func(t *testing.T) {
		fake := grafanatest.New(t)
		g := target{t, fake.URL, grafanatest.AdminToken, fake}
		test(g, bundle(g))
	})
	t.Run("real", func(t *testing.T) {
		g := target{t, os.Getenv("GRAFANA_URL"), os.Getenv("GRAFANA_TOKEN"), nil}
		if g.url == "" || g.token == "" {
			t.Skip("GRAFANA_URL and GRAFANA_TOKEN are not set")
		}
		test(g, bundle(g))
	})
}

// bundle returns all dashboards with random uids.
func bundle(g target) push.Bundle {
	g.t.Helper()
	own := "hooktape-test-" + strings.ToLower(rand.Text())[:8]
	all, err := dashboards.All()
	if err != nil {
		g.t.Fatal(err)
	}
	for i := range all {
		all[i].Uid = new(own + strings.TrimPrefix(*all[i].Uid, "hooktape"))
		g.t.Cleanup(func() { g.remove("/api/dashboards/uid/" + *all[i].Uid) })
	}
	g.t.Cleanup(func() { g.remove("/api/folders/" + own) })
	g.t.Cleanup(func() { g.remove("/api/datasources/uid/" + own) })
	return push.Bundle{FolderUID: own, Folder: own, Dashboards: all,
		DataSource: &push.DataSource{UID: own, Name: own, Host: "127.0.0.1",
			Port: 1, HTTP: true, User: "grafana", Database: "hooktape"}}
}

// remove deletes an object from a real Grafana, if it exists.
func (g target) remove(path string) {
	if g.fake == nil {
		g.ask("DELETE", path, nil)
	}
}

// ask sends a request to Grafana without the code under test.
func (g target) ask(method, path string, body any) (status int, answer map[string]any) {
	g.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	request, err := http.NewRequest(method, g.url+path, bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+g.token)
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		g.t.Fatal(err)
	}
	_ = json.Unmarshal(text, &answer) // some answers are no objects, and no test reads those
	return response.StatusCode, answer
}

// must sends a request that must be answered with 200.
func (g target) must(method, path string, body any) map[string]any {
	g.t.Helper()
	status, answer := g.ask(method, path, body)
	if status != http.StatusOK {
		g.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// dashboard returns Grafana's dashboard with a uid.
func (g target) dashboard(uid string) map[string]any {
	g.t.Helper()
	return g.must("GET", "/api/dashboards/uid/"+uid, nil)["dashboard"].(map[string]any)
}

// push pushes without an error.
func (g target) push(b push.Bundle, dry bool) []push.Change {
	g.t.Helper()
	changes, err := g.try(b, dry)
	if err != nil {
		g.t.Fatal(err)
	}
	return changes
}

func (g target) try(b push.Bundle, dry bool) ([]push.Change, error) {
	g.t.Helper()
	grafana, err := push.Open(g.t.Context(), g.url, g.token)
	if err != nil {
		g.t.Fatal(err)
	}
	defer grafana.Close()
	return grafana.Push(b, dry)
}

// results returns the first letters of the changes' results in order: "ccu" for created, created, updated.
func results(changes []push.Change) string {
	text := ""
	for _, c := range changes {
		text += map[push.Result]string{push.Created: "c", push.Updated: "u", push.Unchanged: ".",
			push.Refused: "R"}[c.Result]
	}
	return text
}

// of returns the change of a uid.
func of(t *testing.T, changes []push.Change, kind, uid string) push.Change {
	t.Helper()
	for _, c := range changes {
		if c.UID == uid && c.Kind == kind {
			return c
		}
	}
	t.Fatalf("no change of %s among %+v", uid, changes)
	return push.Change{}
}
