package push_test

import (
	"bytes"
	"encoding/json"
	"log"
	"maps"
	"os"
	"strings"
	"testing"

	"hooktape/dashboards/push"
)

// TestDataSourceIsMerged verifies that a push keeps settings that others have added.
func TestDataSourceIsMerged(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		g.push(b, false)
		path := "/api/datasources/uid/" + b.DataSource.UID
		there := g.must("GET", path, nil)
		settings := there["jsonData"].(map[string]any)
		settings["queryTimeout"], settings["host"] = "120", "elsewhere"
		there["name"] = b.DataSource.Name + " renamed"
		g.must("PUT", path, there)
		changes := g.push(b, true)
		c := of(t, changes, "data source", b.DataSource.UID)
		if c.Result != push.Updated || !strings.Contains(c.Diff, `-    "host": "elsewhere"`) ||
			strings.Contains(c.Diff, `-    "queryTimeout"`) {
			t.Errorf("dry run: %+v", c)
		}
		if got := results(g.push(b, false)); got != "u........" {
			t.Errorf("push: %s", got)
		}
		there = g.must("GET", path, nil)
		settings = there["jsonData"].(map[string]any)
		want := map[string]any{"host": "127.0.0.1", "server": "127.0.0.1", "port": 1.0, "protocol": "http",
			"secure": false, "username": "grafana", "defaultDatabase": "hooktape", "queryTimeout": "120"}
		if !maps.Equal(settings, want) || there["name"] != b.DataSource.Name+" renamed" {
			t.Errorf("got the data source %v", there)
		}
		if got := results(g.push(b, false)); got != "........." {
			t.Errorf("next push: %s", got)
		}
	})
}

// TestPassword verifies that a given password is sent to Grafana on every push, that without one Grafana keeps its own,
// and that the password is shown nowhere.
func TestPassword(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	t.Setenv("GF_LOG", "1")
	eachGrafana(t, func(g target, b push.Bundle) {
		b.DataSource.Password = "s3cret"
		all := g.push(b, false)
		for _, dry := range []bool{true, false} {
			b.DataSource.Password = "n3w-s3cret"
			changes := g.push(b, dry)
			if c := of(t, changes, "data source", b.DataSource.UID); c.Result != push.Unchanged ||
				!strings.Contains(c.Note, "the password is written again") || c.Diff != "" {
				t.Errorf("with a password, dry %v: %+v", dry, c)
			}
			all = append(all, changes...)
		}
		b.DataSource.Password = ""
		all = append(all, g.push(b, false)...)
		there := g.must("GET", "/api/datasources/uid/"+b.DataSource.UID, nil)
		if there["secureJsonFields"].(map[string]any)["password"] != true {
			t.Errorf("Grafana has no password: %v", there)
		}
		if g.fake != nil && g.fake.Password(b.DataSource.UID) != "n3w-s3cret" {
			t.Errorf("Grafana has the password %q", g.fake.Password(b.DataSource.UID))
		}
		if text, _ := json.Marshal(all); strings.Contains(string(text), "s3cret") ||
			strings.Contains(string(text), g.token) {
			t.Errorf("a secret is shown in %s", text)
		}
	})
	if logged.Len() > 0 {
		t.Errorf("the client library logged %s", &logged)
	}
}

// TestHealth verifies that a push reports whether Grafana reaches ClickHouse, with Grafana's message.
func TestHealth(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		if g.fake != nil {
			g.fake.Unhealthy = "dial tcp 127.0.0.1:1: connect: connection refused\nand a stack"
		}
		for range 2 {
			note := of(t, g.push(b, false), "data source", b.DataSource.UID).Note
			if !strings.Contains(note, "Grafana got no answer from ClickHouse at 127.0.0.1:1 (") ||
				strings.Contains(note, "stack") {
				t.Errorf("got the note %q", note)
			}
		}
	})
}

// TestWithoutDataSource verifies a push without a data source, which needs no right to data sources.
func TestWithoutDataSource(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		b.DataSource = nil
		if got := results(g.push(b, false)); got != "cccccccc" {
			t.Errorf("push: %s", got)
		}
		if status, _ := g.ask("GET", "/api/datasources/uid/"+b.FolderUID, nil); status != 404 {
			t.Errorf("the data source exists: status %d", status)
		}
	})
}

func TestFromDSN(t *testing.T) {
	for dsn, want := range map[string]push.DataSource{
		"clickhouse://grafana:s3cret@ch:9001/tape": {Host: "ch", Port: 9001, User: "grafana", Password: "s3cret",
			Database: "tape"},
		"clickhouse://ch": {Host: "ch", Port: 9000, User: "default", Database: "hooktape"},
		"tcp://ch?secure=true": {Host: "ch", Port: 9440, Secure: true, User: "default",
			Database: "hooktape"},
		"http://127.0.0.1:8123/hooktape": {Host: "127.0.0.1", Port: 8123, HTTP: true, User: "default",
			Database: "hooktape"},
		"http://ch": {Host: "ch", Port: 8123, HTTP: true, User: "default",
			Database: "hooktape"},
		"https://ch/hooktape?skip_verify=true": {Host: "ch", Port: 8443, HTTP: true, Secure: true, SkipVerify: true,
			User: "default", Database: "hooktape"},
		"https://[::1]/hooktape": {Host: "::1", Port: 8443, HTTP: true, Secure: true, User: "default",
			Database: "hooktape"},
		"clickhouse://a:9000,b:9000/hooktape": {Host: "a", Port: 9000, User: "default", Database: "hooktape"},
	} {
		if got, err := push.FromDSN(dsn); err != nil || got != want {
			t.Errorf("%s: %+v, %v", dsn, got, err)
		}
	}
	for _, dsn := range []string{"", "ch:9000", "ftp://u:s3cret@ch", "clickhouse://", "http://u:s3cret@ch:port/x",
		"http://u:s3cret@:8123", "::s3cret"} {
		if got, err := push.FromDSN(dsn); err == nil || strings.Contains(err.Error(), "s3cret") ||
			!strings.Contains(err.Error(), "clickhouse://user@host") {
			t.Errorf("%q: %+v, %v", dsn, got, err)
		}
	}
}
