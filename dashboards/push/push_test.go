package push_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
)

func TestPushTwice(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		if got := results(g.push(b, false)); got != "ccccccccc" {
			t.Errorf("first push: %s", got)
		}
		for _, d := range b.Dashboards {
			if there := g.dashboard(*d.Uid); there["title"] != *d.Title {
				t.Errorf("%s has the title %v", *d.Uid, there["title"])
			}
		}
		if got := results(g.push(b, false)); got != "........." {
			t.Errorf("second push: %s", got)
		}
		if version := g.dashboard(*b.Dashboards[0].Uid)["version"]; version != 1.0 {
			t.Errorf("the dashboard has version %v after a push without changes", version)
		}
	})
}

// TestUpdate verifies that a push reverts the changes to one dashboard and touches nothing else.
func TestUpdate(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		g.push(b, false)
		uid := *b.Dashboards[2].Uid
		model := g.dashboard(uid)
		model["title"] = "Мои диалоги"
		model["annotations"] = map[string]any{"list": []any{map[string]any{"name": "<deploys>"}}}
		g.must("POST", "/api/dashboards/db", map[string]any{"dashboard": model, "folderUid": b.FolderUID})
		dry := g.push(b, true)
		if got := results(dry); got != "....u...." {
			t.Errorf("dry run: %s", got)
		}
		diff := of(t, dry, "dashboard", uid).Diff
		for _, want := range []string{"--- grafana/" + uid + ".json\n", "+++ hooktape/" + uid + ".json\n",
			"-  \"title\": \"Мои диалоги\"", "+  \"title\": \"Conversations\"", "<deploys>"} {
			if !strings.Contains(diff, want) {
				t.Errorf("the diff does not contain %q:\n%s", want, diff)
			}
		}
		if title := g.dashboard(uid)["title"]; title != "Мои диалоги" {
			t.Errorf("title after a dry run: %v", title)
		}
		if got := results(g.push(b, false)); got != "....u...." {
			t.Errorf("push: %s", got)
		}
		if there := g.dashboard(uid); there["title"] != "Conversations" || there["version"] != 3.0 {
			t.Errorf("after the push: %v, version %v", there["title"], there["version"])
		}
		if got := results(g.push(b, false)); got != "........." {
			t.Errorf("next push: %s", got)
		}
	})
}

func TestDryRunOfTheFirstPush(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		b.DataSource.Password = "s3cret"
		changes := g.push(b, true)
		if got := results(changes); got != "ccccccccc" {
			t.Errorf("dry run: %s", got)
		}
		if diff := of(t, changes, "data source", b.DataSource.UID).Diff; !strings.HasPrefix(diff,
			"diff /dev/null hooktape/") || !strings.Contains(diff, `+    "host": "127.0.0.1"`) {
			t.Errorf("diff of the data source:\n%s", diff)
		}
		for _, path := range []string{"/api/folders/" + b.FolderUID, "/api/datasources/uid/" + b.FolderUID,
			"/api/dashboards/uid/" + *b.Dashboards[0].Uid} {
			if status, _ := g.ask("GET", path, nil); status != http.StatusNotFound {
				t.Errorf("%s exists after a dry run: status %d", path, status)
			}
		}
		if g.fake != nil && g.fake.Writes() != 0 {
			t.Errorf("a dry run sent %d writes", g.fake.Writes())
		}
		if text, _ := json.Marshal(changes); strings.Contains(string(text), "s3cret") {
			t.Errorf("the password is shown in %s", text)
		}
	})
}

// TestForeign verifies that objects with hooktape's uids that are not hooktape's stay unchanged, and that the rest is
// pushed.
func TestForeign(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		elsewhere, untagged := *b.Dashboards[0].Uid, *b.Dashboards[5].Uid
		g.must("POST", "/api/folders", map[string]any{"uid": b.FolderUID, "title": b.Folder})
		g.must("POST", "/api/dashboards/db",
			map[string]any{"dashboard": map[string]any{"uid": elsewhere, "title": elsewhere,
				"tags": []string{"hooktape"}}})
		g.must("POST", "/api/dashboards/db",
			map[string]any{"dashboard": map[string]any{"uid": untagged, "title": "mine", "tags": []string{"tape"}},
				"folderUid": b.FolderUID})
		g.must("POST", "/api/datasources", map[string]any{"uid": b.DataSource.UID, "name": b.DataSource.Name,
			"type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1"})
		for _, dry := range []bool{true, false} {
			before := []any{g.dashboard(elsewhere), g.dashboard(untagged),
				g.must("GET", "/api/datasources/uid/"+b.DataSource.UID, nil)}
			changes := g.push(b, dry)
			if got := results(changes); got != "R.RccccRc" {
				t.Fatalf("push: %s", got)
			}
			for _, why := range []struct{ kind, uid, want string }{
				{"data source", b.DataSource.UID, "another type (prometheus)"},
				{"dashboard", elsewhere, "in another folder"}, {"dashboard", untagged, `lacks the tag "hooktape"`},
			} {
				if c := of(t, changes, why.kind, why.uid); !strings.Contains(c.Note, why.want) || c.Diff != "" {
					t.Errorf("note on %s: %q", why.uid, c.Note)
				}
			}
			after := []any{g.dashboard(elsewhere), g.dashboard(untagged),
				g.must("GET", "/api/datasources/uid/"+b.DataSource.UID, nil)}
			if !reflect.DeepEqual(before, after) {
				t.Errorf("foreign objects were %v and are now %v", before, after)
			}
		}
	})
}

// TestTakenNames: Grafana requires some titles to be unique. The test verifies that its refusal is reported. Newer
// versions (12.3 does) allow folders with the same name.
func TestTakenNames(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		other := b.FolderUID + "-x"
		t.Cleanup(func() { g.remove("/api/folders/" + other) })
		t.Cleanup(func() { g.remove("/api/datasources/uid/" + other) })
		g.must("POST", "/api/datasources", map[string]any{"uid": other, "name": b.DataSource.Name,
			"type": dashboards.PluginID, "access": "proxy"})
		changes := g.push(b, false)
		if c := of(t, changes, "data source", b.DataSource.UID); c.Result != push.Refused ||
			!strings.Contains(c.Note, "same name already exists") {
			t.Errorf("data source: %+v", c)
		}
	})
	eachGrafana(t, func(g target, b push.Bundle) {
		other := b.FolderUID + "-x"
		t.Cleanup(func() { g.remove("/api/folders/" + other) })
		g.must("POST", "/api/folders", map[string]any{"uid": other, "title": b.Folder})
		changes, err := g.try(b, false)
		if g.fake == nil && err == nil {
			if c := of(t, changes, "folder", b.FolderUID); c.Result != push.Created {
				t.Errorf("folder beside another with its title: %+v", c)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), "if another folder has this name, rename it") {
			t.Errorf("folder with a taken title: %v", err)
		}
		if got := results(changes); got != "c" {
			t.Errorf("changes before the error: %q", got)
		}
	})
}

// TestRenamedFolder verifies that the folder is found by its uid, whatever its title.
func TestRenamedFolder(t *testing.T) {
	eachGrafana(t, func(g target, b push.Bundle) {
		g.must("POST", "/api/folders", map[string]any{"uid": b.FolderUID, "title": "Заявки " + b.Folder})
		changes := g.push(b, false)
		if c := of(t, changes, "folder", b.FolderUID); c.Result != push.Unchanged || c.Title != "Заявки "+b.Folder {
			t.Errorf("folder: %+v", c)
		}
	})
}
