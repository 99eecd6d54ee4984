package push_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hooktape/dashboards/push"
	"hooktape/internal/testutil/grafanatest"
)

// TestObstacles verifies that each obstacle is reported in one sentence with a remedy, before anything is changed.
func TestObstacles(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(g *target)
		want  string
	}{
		"unknown token": {func(g *target) {
			g.token = "glsa_unknown"
		}, "does not accept the token: Invalid API key; create one in Grafana under Administration, Service accounts"},
		"no rights": {func(g *target) {
			g.token = grafanatest.ViewerToken
		},
			"does not let this token read data sources: You'll need additional permissions to perform this action. " +
				"Permissions needed: datasources:read; give its service account the role Admin, or push the " +
				"dashboards only"},
		"no plugin": {func(g *target) {
			g.fake.Plugins = nil
		},
			"has no plugin grafana-clickhouse-datasource; install it (grafana cli plugins install " +
				"grafana-clickhouse-datasource"},
		"old": {func(g *target) {
			g.fake.Version = "9.3.16"
		}, "Grafana 9.3.16 is too old: the dashboards need 9.4"},
		"very old": {func(g *target) { g.fake.Version = "8.5.0-beta1" }, "too old"},
		"no database": {func(g *target) {
			g.fake.Down = true
		}, "Grafana does not report its health: status 503; its log says more"},
		"broken": {func(g *target) {
			g.fake.Refuse = 500
		}, "Grafana does not read plugins: Refused; its log says more"},
		"wrong path": {func(g *target) {
			g.url += "/grafana"
		}, "/grafana is not Grafana; give the address that a browser shows"},
		"no answer": {func(g *target) {
			g.url = "http://127.0.0.1:1"
		},
			"Grafana does not answer at http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused; check " +
				"the URL"},
		"another page": {func(g *target) { g.serve("<html>Welcome", 200) }, "is not Grafana"},
		"another API":  {func(g *target) { g.serve(`{"status":"ok"}`, 200) }, "is not Grafana"},
		"a list":       {func(g *target) { g.serve(`[]`, 200) }, "is not Grafana"},
		"refusal of a proxy": {func(g *target) {
			g.serve("<html>Unauthorized", 401)
		}, "does not accept the token: status 401"},
		"redirect to a login": {func(g *target) {
			g.redirect("https://login.example.org/oauth?state=s3cret")
		}, "redirects to https://login.example.org; give the address that Grafana itself answers at"},
		"redirect to a path": {func(g *target) { g.redirect("/login") }, "redirects to http://127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := grafanatest.New(t)
			g := target{t, fake.URL, grafanatest.AdminToken, fake}
			b := bundle(g)
			c.spoil(&g)
			changes, err := g.try(b, false)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), g.token)) {
				t.Errorf("the error shows a secret: %v", err)
			}
			if len(changes) != 0 || fake.Writes() != 0 {
				t.Errorf("%d changes, %d writes", len(changes), fake.Writes())
			}
		})
	}
}

// serve replaces Grafana by a server that always gives the same answer.
func (g *target) serve(body string, status int) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	g.t.Cleanup(server.Close)
	g.url = server.URL
}

func (g *target) redirect(to string) {
	server := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	g.t.Cleanup(server.Close)
	g.url = server.URL
}

// TestOlderVersions verifies a push to Grafana 9.4, the oldest supported version, and to one that hides its version.
func TestOlderVersions(t *testing.T) {
	for _, version := range []string{"9.4.0-pre", "9.5.21", "10.0.0", "13.0.0-20260101", "", "main"} {
		fake := grafanatest.New(t)
		fake.Version = version
		g := target{t, fake.URL, grafanatest.AdminToken, fake}
		if got := results(g.push(bundle(g), false)); got != "ccccccccc" {
			t.Errorf("%q: %s", version, got)
		}
	}
}

// TestViewerWithoutDataSource verifies that the error names the missing right.
func TestViewerWithoutDataSource(t *testing.T) {
	fake := grafanatest.New(t)
	g := target{t, fake.URL, grafanatest.ViewerToken, fake}
	b := bundle(g)
	b.DataSource = nil
	if _, err := g.try(b, false); err == nil ||
		!strings.Contains(err.Error(), "does not let this token create a folder") {
		t.Errorf("got error %v", err)
	}
}

// TestSavedAtTheSameMoment verifies that a push does not overwrite what somebody saved between its read and its write.
func TestSavedAtTheSameMoment(t *testing.T) {
	fake := grafanatest.New(t)
	g := target{t, fake.URL, grafanatest.AdminToken, fake}
	b := bundle(g)
	g.push(b, false)
	uid := *b.Dashboards[1].Uid
	b.Dashboards[1].Title = new("A new one")
	model := g.dashboard(uid)
	model["title"] = "Theirs"
	fake.OnWrite = func(*http.Request) {
		fake.OnWrite = nil
		g.must("POST", "/api/dashboards/db", map[string]any{"dashboard": model, "folderUid": b.FolderUID})
	}
	changes := g.push(b, false)
	if c := of(t, changes, "dashboard", uid); c.Result != push.Refused || !strings.Contains(c.Note, "push again") {
		t.Errorf("got the change %+v", c)
	}
	if title := g.dashboard(uid)["title"]; title != "Theirs" {
		t.Errorf("got the title %v", title)
	}
	if got := results(g.push(b, false)); got != "...u....." {
		t.Errorf("next push: %s", got)
	}
}

// TestProvisioned verifies that a push does not change what Grafana has from its own files.
func TestProvisioned(t *testing.T) {
	fake := grafanatest.New(t)
	g := target{t, fake.URL, grafanatest.AdminToken, fake}
	b := bundle(g)
	g.push(b, false)
	fake.Provisioned(b.DataSource.UID)
	fake.Provisioned(*b.Dashboards[0].Uid)
	b.DataSource.Password = "s3cret"
	if got := results(g.push(b, false)); got != "........." {
		t.Errorf("push without changes: %s", got)
	}
	b.DataSource.Host = "elsewhere"
	b.Dashboards[0].Title = new("A new one")
	changes := g.push(b, true)
	if got := results(changes); got != "R.R......" {
		t.Errorf("dry run with changes: %s", got)
	}
	changes = g.push(b, false)
	if got := results(changes); got != "R.R......" {
		t.Errorf("push with changes: %s", got)
	}
	if c := of(t, changes, "data source", b.DataSource.UID); !strings.Contains(c.Note, "provisioned from a file") {
		t.Errorf("note on the data source: %q", c.Note)
	}
	if c := of(t, changes, "dashboard",
		*b.Dashboards[0].Uid); c.Note != "it is provisioned from a file; update the file with hooktape dashboards "+
		"export" {
		t.Errorf("note on the dashboard: %q", c.Note)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, address := range []string{"", "grafana:3000", "ftp://grafana", "http://", "http://admin:s3cret@grafana",
		"http://grafana?auth_token=s3cret", "::s3cret"} {
		if _, err := push.Open(t.Context(), address, "t"); err == nil || strings.Contains(err.Error(), "s3cret") ||
			!strings.Contains(err.Error(), "https://grafana.example.org") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestEndOfTheContext(t *testing.T) {
	fake := grafanatest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	grafana, err := push.Open(ctx, fake.URL, grafanatest.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	defer grafana.Close()
	cancel()
	if _, err := grafana.Push(push.Bundle{}, false); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got error %v", err)
	}
}
