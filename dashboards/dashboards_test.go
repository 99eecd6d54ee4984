package dashboards

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func built(t *testing.T) []dashboard.Dashboard {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFiles verifies that the files are those that the code generates.
func TestFiles(t *testing.T) {
	made := map[string]bool{}
	for _, d := range built(t) {
		name := filepath.Join("json", *d.Uid+".json")
		made[name] = true
		want, err := JSON(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date (%v): run go generate ./dashboards", name, err)
		}
	}
	files, err := filepath.Glob("json/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !made[name] {
			t.Errorf("no code generates %s", name)
		}
	}
}

// variant lets the SDK's runtime read queries of the plugin, strictly.
func variant() variants.DataqueryConfig {
	read := func(raw []byte) (variants.Dataquery, error) {
		var q Query
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&q)
		return q, err
	}
	return variants.DataqueryConfig{Identifier: PluginID, DataqueryUnmarshaler: read, StrictDataqueryUnmarshaler: read}
}

// TestStrict decodes each file as strictly as the SDK can.
func TestStrict(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	cog.NewRuntime().RegisterDataqueryVariant(variant())
	for _, d := range built(t) {
		data, err := JSON(d)
		if err != nil {
			t.Fatal(err)
		}
		var read dashboard.Dashboard
		if err := read.UnmarshalJSONStrict(data); err != nil {
			t.Errorf("%s: %v", *d.Uid, err)
		}
		if err := read.Validate(); err != nil {
			t.Errorf("%s: %v", *d.Uid, err)
		}
		again, err := JSON(read)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Errorf("%s: decoding loses a part of it", *d.Uid)
		}
	}
}

// TestPanels verifies that each panel has a description and a text for an empty result, and overlaps no other.
func TestPanels(t *testing.T) {
	for _, d := range built(t) {
		taken, ids := map[[2]uint32]string{}, map[uint32]bool{}
		titles := map[string]bool{}
		for _, p := range d.Panels {
			if p.Panel == nil {
				continue
			}
			title := *p.Panel.Title
			if titles[title] || ids[*p.Panel.Id] {
				t.Errorf("%s: two panels have the title %q, or its id", *d.Uid, title)
			}
			titles[title], ids[*p.Panel.Id] = true, true
			if len(p.Panel.Targets) > 0 {
				checkWords(t, *d.Uid, title, p.Panel)
			}
			for x := p.Panel.GridPos.X; x < p.Panel.GridPos.X+p.Panel.GridPos.W; x++ {
				for y := p.Panel.GridPos.Y; y < p.Panel.GridPos.Y+p.Panel.GridPos.H; y++ {
					if other, covered := taken[[2]uint32{x, y}]; covered || x >= 24 {
						t.Fatalf("%s: %q overlaps %q or the edge", *d.Uid, title, other)
					}
					taken[[2]uint32{x, y}] = title
				}
			}
		}
	}
}

func checkWords(t *testing.T, board, title string, p *dashboard.Panel) {
	t.Helper()
	if p.Description == nil || len(*p.Description) < 40 || !strings.HasSuffix(*p.Description, ".") {
		t.Errorf("%s: %q has no description of what it counts", board, title)
	}
	if p.FieldConfig == nil || p.FieldConfig.Defaults.NoValue == nil || *p.FieldConfig.Defaults.NoValue == "" {
		t.Errorf("%s: %q has no text for an empty result", board, title)
	}
	if p.Datasource == nil || *p.Datasource.Uid != "${datasource}" {
		t.Errorf("%s: %q does not use the viewer's data source", board, title)
	}
}

// TestQueries verifies that each file under sql belongs to a panel or a variable, and has a comment on what it counts.
func TestQueries(t *testing.T) {
	used := map[string]bool{}
	for _, d := range built(t) {
		for _, v := range d.Templating.List {
			if v.Query != nil && v.Query.String != nil {
				used[*v.Query.String] = true
			}
		}
		for _, p := range d.Panels {
			if p.Panel != nil {
				for _, target := range p.Panel.Targets {
					used[target.(Query).RawSQL] = true
				}
			}
		}
	}
	err := fs.WalkDir(files, "sql", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		text := strings.TrimSpace(string(data))
		if !used[text] && path != "sql/conversion/people.sql" { // the console has it
			t.Errorf("%s is not used", path)
		}
		if !strings.HasPrefix(path, "sql/variables/") && !strings.HasPrefix(text, "-- ") {
			t.Errorf("%s has no comment on what it counts", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
