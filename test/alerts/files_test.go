package alerts

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"hooktape/dashboards"
)

const provisioning = "../../dashboards/provisioning"

// The files as Grafana reads them. Unknown keys are an error.
type (
	dataSourceFile struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access string
			Editable                bool
			JSONData                map[string]any    `yaml:"jsonData"`
			SecureJSONData          map[string]string `yaml:"secureJsonData"`
		}
	}
	dashboardFile struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type, Folder    string
			FolderUID             string `yaml:"folderUid"`
			AllowUIUpdates        bool   `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int    `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	ruleFile struct {
		APIVersion int `yaml:"apiVersion"`
		Groups     []struct {
			OrgID                  int `yaml:"orgId"`
			Name, Folder, Interval string
			Rules                  []rule
		}
	}
	contactFile struct {
		APIVersion    int `yaml:"apiVersion"`
		ContactPoints []struct {
			OrgID     int `yaml:"orgId"`
			Name      string
			Receivers []struct {
				UID, Type string
				Settings  map[string]any
			}
		} `yaml:"contactPoints"`
		Policies []struct {
			OrgID          int `yaml:"orgId"`
			Receiver       string
			GroupBy        []string `yaml:"group_by"`
			GroupWait      string   `yaml:"group_wait"`
			GroupInterval  string   `yaml:"group_interval"`
			RepeatInterval string   `yaml:"repeat_interval"`
		}
	}
)

type rule struct {
	UID, Title, Condition, For string
	NoDataState                string `yaml:"noDataState"`
	ExecErrState               string `yaml:"execErrState"`
	Labels, Annotations        map[string]string
	Data                       []struct {
		RefID             string                 `yaml:"refId"`
		DatasourceUID     string                 `yaml:"datasourceUid"`
		RelativeTimeRange struct{ From, To int } `yaml:"relativeTimeRange"`
		Model             struct {
			RefID            string `yaml:"refId"`
			EditorType       string `yaml:"editorType"`
			QueryType        string `yaml:"queryType"`
			Format           dashboards.Format
			RawSQL           string `yaml:"rawSql"`
			Type, Expression string
			Conditions       []struct {
				Evaluator struct {
					Type   string
					Params []float64
				}
			}
		}
	}
}

// read parses a file strictly.
func read[T any](t *testing.T, path string) (file T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(provisioning, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&file); err != nil {
		t.Fatalf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	return file
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	for _, g := range read[ruleFile](t, "alerting/hooktape.yaml").Groups {
		all = append(all, g.Rules...)
	}
	return all
}

const dataSourceUID = "hooktape-clickhouse"

func TestDataSource(t *testing.T) {
	file := read[dataSourceFile](t, "datasources/hooktape.yaml")
	if file.APIVersion != 1 || len(file.Datasources) != 1 {
		t.Fatalf("got the file %+v", file)
	}
	d := file.Datasources[0]
	if d.UID != dataSourceUID || d.Type != dashboards.PluginID ||
		d.SecureJSONData["password"] != "$HOOKTAPE_GRAFANA_PASSWORD" || d.JSONData["username"] != "grafana" {
		t.Errorf("got the data source %+v", d)
	}
	if d.JSONData["host"] != d.JSONData["server"] || d.JSONData["dialTimeout"] != d.JSONData["timeout"] {
		t.Errorf("versions 3 and 4 of the plugin would read different settings: %v", d.JSONData)
	}
	for _, seconds := range []string{"dialTimeout", "timeout", "queryTimeout"} {
		if _, ok := d.JSONData[seconds].(string); !ok {
			t.Errorf("%s is a %T; version 3 of the plugin needs a string", seconds, d.JSONData[seconds])
		}
	}
}

func TestDashboards(t *testing.T) {
	file := read[dashboardFile](t, "dashboards/hooktape.yaml")
	if p := file.Providers[0]; file.APIVersion != 1 || p.Folder != dashboards.Folder ||
		p.FolderUID != dashboards.FolderUID || p.Type != "file" || p.AllowUIUpdates || p.Options.Path == "" {
		t.Errorf("got %+v", file)
	}
}

func TestContact(t *testing.T) {
	file := read[contactFile](t, "alerting/contact.yaml")
	if file.APIVersion != 1 || len(file.ContactPoints) != 1 || len(file.Policies) != 1 ||
		file.Policies[0].Receiver != file.ContactPoints[0].Name {
		t.Fatalf("got the file %+v", file)
	}
	if r := file.ContactPoints[0].Receivers; len(r) != 1 || r[0].UID == "" ||
		r[0].Settings["addresses"] != "you@example.org" {
		t.Errorf("got the receivers %+v", r)
	}
}

// TestRules verifies that every rule has the fields that Grafana requires and the texts that an operator needs.
func TestRules(t *testing.T) {
	for _, g := range read[ruleFile](t, "alerting/hooktape.yaml").Groups {
		if g.Folder == dashboards.Folder || g.OrgID != 1 || g.Interval == "" {
			t.Errorf("unexpected group %+v", g)
		}
	}
	seen := map[string]bool{}
	for _, r := range rules(t) {
		query, threshold := r.Data[0], r.Data[1]
		switch {
		case seen[r.UID] || seen[r.Title] || len(r.UID) > 40 || !strings.HasPrefix(r.UID, "hooktape-"):
			t.Errorf("%s: uid or title is used twice or lacks hooktape's prefix", r.UID)
		case r.Labels["service"] != "hooktape" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" ||
			r.Annotations["description"] == "":
			t.Errorf("%s: a label or annotation is missing: %v %v", r.UID, r.Labels, r.Annotations)
		case r.NoDataState != "OK" || r.ExecErrState != "Error" || r.For != "0s":
			t.Errorf("%s: unexpected state or duration: %+v", r.UID, r)
		case query.DatasourceUID != dataSourceUID || query.RefID != "A" || query.Model.RefID != "A" ||
			query.Model.Format != dashboards.Table ||
			query.Model.EditorType != "sql" || query.RelativeTimeRange.From <= 0 || query.RelativeTimeRange.To != 0:
			t.Errorf("%s: the query is %+v", r.UID, query)
		case threshold.DatasourceUID != "__expr__" || threshold.RefID != r.Condition ||
			threshold.Model.Type != "threshold" || threshold.Model.Expression != "A" ||
			len(threshold.Model.Conditions) != 1 || threshold.Model.Conditions[0].Evaluator.Type != "gt":
			t.Errorf("%s: the threshold is %+v", r.UID, threshold)
		}
		if rest := strings.ReplaceAll(query.Model.RawSQL, "$__fromTime", ""); strings.Contains(rest, "$") {
			t.Errorf("%s: the SQL has a variable or macro that rules cannot use:\n%s", r.UID, rest)
		}
		seen[r.UID], seen[r.Title] = true, true
	}
	if len(seen) != 2*7 {
		t.Errorf("got %d rules", len(seen)/2)
	}
}

// TestUserFile verifies that the user's file is well-formed XML and takes the password from the environment.
func TestUserFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(provisioning, "clickhouse/grafana.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(text), passwordElement) {
		t.Errorf("the file does not contain %s", passwordElement)
	}
}

const passwordElement = `<password from_env="HOOKTAPE_GRAFANA_PASSWORD"/>`
