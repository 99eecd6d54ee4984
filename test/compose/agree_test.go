package compose

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// usersFile is the part of a users.d file of ClickHouse that the tests check.
type usersFile struct {
	XMLName xml.Name `xml:"clickhouse"`
	Users   struct {
		All []user `xml:",any"`
	} `xml:"users"`
	Profiles struct {
		Inner string `xml:",innerxml"`
	} `xml:"profiles"`
}

type user struct {
	XMLName  xml.Name
	Password *struct {
		FromEnv string `xml:"from_env,attr"`
	} `xml:"password"`
	Networks struct {
		Replace string   `xml:"replace,attr"`
		IPs     []string `xml:"ip"`
	} `xml:"networks"`
	Profile string   `xml:"profile"`
	Grants  []string `xml:"grants>query"`
}

func readUsers(t *testing.T, path string) (file usersFile) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text(t, path)))
	if err := d.Decode(&file); err != nil {
		t.Fatalf("parse %s: %v", path, err)
	}
	return file
}

// users returns all users of ClickHouse by name.
func users(t *testing.T) map[string]user {
	t.Helper()
	all := map[string]user{}
	for _, path := range []string{"dashboards/provisioning/clickhouse/grafana.xml", "deploy/clickhouse/users.xml"} {
		for _, u := range readUsers(t, path).Users.All {
			all[u.XMLName.Local] = u
		}
	}
	return all
}

// TestUsers verifies that every user has its own password from the environment, except the administrator, who can log
// in only from inside the container.
func TestUsers(t *testing.T) {
	seen := map[string]string{}
	for name, u := range users(t) {
		if name == "default" {
			if u.Networks.Replace != "replace" || !slices.Equal(u.Networks.IPs, []string{"127.0.0.1", "::1"}) {
				t.Errorf("the administrator may log in from %+v, want only the container", u.Networks)
			}
			continue
		}
		if u.Password == nil || u.Password.FromEnv == "" || seen[u.Password.FromEnv] != "" {
			t.Errorf("%s has the password %+v, want its own variable", name, u.Password)
			continue
		}
		if u.Profile == "" || len(u.Grants) == 0 {
			t.Errorf("%s has no limits, or all rights: %+v", name, u)
		}
		seen[u.Password.FromEnv] = name
	}
}

// TestServerConfig verifies that ClickHouse's server configuration is complete and its memory limit fits the container.
func TestServerConfig(t *testing.T) {
	var file struct {
		XMLName xml.Name `xml:"clickhouse"`
		Memory  int64    `xml:"max_server_memory_usage"`
		Console int      `xml:"logger>console"`
	}
	if err := xml.Unmarshal([]byte(text(t, "deploy/clickhouse/config.xml")), &file); err != nil {
		t.Fatal(err)
	}
	if limit := int64(project(t).Services["clickhouse"].MemLimit); file.Memory <= 0 || file.Memory > limit*85/100 ||
		file.Console != 1 {
		t.Errorf("server configuration %+v does not fit a container of %d bytes", file, limit)
	}
}

// port returns the port of a listen address such as 0.0.0.0:8080.
func port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestHooktapeAgrees verifies that hooktape's DSN names an existing ClickHouse user with that user's password, that
// published ports lead to the ports hooktape listens on, and that its telemetry goes to the collector's port.
func TestHooktapeAgrees(t *testing.T) {
	p := allServices(t)
	clickhouse := p.Services["clickhouse"]
	services := hooktapeServices(p)
	if len(services) != 4 {
		t.Fatalf("%d services run hooktape, want 4", len(services))
	}
	for _, s := range services {
		dsn, err := url.Parse(value(t, s, "HOOKTAPE_CLICKHOUSE_DSN"))
		if err != nil {
			t.Fatal(err)
		}
		u, known := users(t)[dsn.User.Username()]
		password, _ := dsn.User.Password()
		if !known || dsn.Scheme != "clickhouse" || dsn.Host != clickhouse.Name+":9000" || dsn.Path != "/hooktape" ||
			password != value(t, clickhouse, u.Password.FromEnv) {
			t.Errorf("%s: DSN %s does not name a user of ClickHouse with its password", s.Name, dsn)
		}
		if otlp := value(t, s, "OTEL_EXPORTER_OTLP_ENDPOINT"); otlp != "http://collector:"+port(t,
			readCollector(t).httpAddr()) {
			t.Errorf("%s sends its telemetry to %s, where no collector listens", s.Name, otlp)
		}
	}
	for name, addr := range map[string]string{"ingest": "HOOKTAPE_INGEST_ADDR", "replay": "HOOKTAPE_API_ADDR"} {
		s := p.Services[name]
		if at := value(t, s, addr); port(t, at) != fmt.Sprint(s.Ports[0].Target) {
			t.Errorf("%s listens on %s, but the published port leads to %d", name, at, s.Ports[0].Target)
		}
	}
}

// TestGrafanaAgrees verifies that Grafana's data source logs in as ClickHouse's user grafana, and that its files are
// mounted where Grafana reads them.
func TestGrafanaAgrees(t *testing.T) {
	var sources struct {
		Datasources []struct {
			JSONData struct {
				Host, Username  string
				DefaultDatabase string `yaml:"defaultDatabase"`
				Port            int
			} `yaml:"jsonData"`
		}
	}
	parse(t, "dashboards/provisioning/datasources/hooktape.yaml", &sources)
	p := project(t)
	grafana := p.Services["grafana"]
	source := sources.Datasources[0].JSONData
	u, known := users(t)[source.Username]
	if !known || source.Host != "$HOOKTAPE_CLICKHOUSE_HOST" ||
		value(t, grafana, "HOOKTAPE_CLICKHOUSE_HOST") != "clickhouse" || source.Port != 9000 ||
		source.DefaultDatabase != "hooktape" {
		t.Errorf("the data source does not match ClickHouse's user: %+v", source)
	}
	if value(t, grafana, u.Password.FromEnv) != value(t, p.Services["clickhouse"], u.Password.FromEnv) {
		t.Error("Grafana and ClickHouse have different passwords")
	}

	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	parse(t, "dashboards/provisioning/dashboards/hooktape.yaml", &dashboards)
	for source, target := range map[string]string{
		"dashboards/provisioning/datasources": "/etc/grafana/provisioning/datasources",
		"dashboards/provisioning/dashboards":  "/etc/grafana/provisioning/dashboards",
		"dashboards/provisioning/alerting":    "/etc/grafana/provisioning/alerting",
		"dashboards/json":                     dashboards.Providers[0].Options.Path,
	} {
		found := false
		for _, v := range grafana.Volumes {
			found = found || strings.HasSuffix(v.Source, "/"+source) && v.Target == target
		}
		if !found {
			t.Errorf("%s is not mounted at %s", source, target)
		}
	}
	for _, path := range []string{"dashboards/provisioning/alerting/hooktape.yaml",
		"dashboards/provisioning/alerting/contact.yaml"} {
		var file map[string]any
		parse(t, path, &file)
	}
}

// collectorFile is the part of the collector's configuration that the tests check.
type collectorFile struct {
	Receivers struct {
		OTLP struct {
			Protocols struct {
				GRPC, HTTP struct{ Endpoint string }
			}
		} `yaml:"otlp"`
	}
	Processors map[string]struct {
		LimitMiB int64 `yaml:"limit_mib"`
	}
	Exporters map[string]struct {
		Endpoint, Username, Password, Database string
		CreateSchema                           bool   `yaml:"create_schema"`
		Traces                                 string `yaml:"traces_table_name"`
		SendingQueue                           struct {
			Storage string
			Batch   map[string]any
		} `yaml:"sending_queue"`
	}
	Extensions map[string]struct{ Directory string }
	Service    struct {
		Extensions []string
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

func readCollector(t *testing.T) (file collectorFile) {
	t.Helper()
	parse(t, "otel/collector.yaml", &file)
	return file
}

// defaultOf returns the default of a setting such as ${env:NAME:-default}.
func defaultOf(setting string) string {
	_, value, _ := strings.Cut(strings.TrimSuffix(setting, "}"), ":-")
	return value
}

func (c collectorFile) httpAddr() string { return defaultOf(c.Receivers.OTLP.Protocols.HTTP.Endpoint) }

// TestCollector verifies that the collector sends all signals to ClickHouse, buffers them in a queue on its volume, and
// writes spans to the table that the migrations create.
func TestCollector(t *testing.T) {
	c, p := readCollector(t), project(t)
	service := p.Services["collector"]
	for _, signal := range []string{"traces", "metrics", "logs"} {
		pipeline := c.Service.Pipelines[signal]
		if !slices.Equal(pipeline.Receivers, []string{"otlp"}) ||
			!slices.Equal(pipeline.Processors, []string{"memory_limiter"}) ||
			!slices.Equal(pipeline.Exporters, []string{"clickhouse"}) {
			t.Errorf("the pipeline of %s is %+v", signal, pipeline)
		}
	}
	e := c.Exporters["clickhouse"]
	u, known := users(t)[defaultOf(e.Username)]
	switch {
	case !known || defaultOf(e.Username) != value(t, service, "HOOKTAPE_COLLECTOR_USER") ||
		e.Password != "${env:"+u.Password.FromEnv+"}":
		t.Errorf("the collector logs in to ClickHouse as %s with password %s", e.Username, e.Password)
	case value(t, service, "HOOKTAPE_COLLECTOR_CLICKHOUSE") != "tcp://clickhouse:9000" ||
		e.Endpoint != "${env:HOOKTAPE_COLLECTOR_CLICKHOUSE}" || e.Database != "hooktape":
		t.Errorf("the collector writes to %+v", e)
	case !strings.Contains(text(t, "internal/store/migrations/00028_otel_traces.sql"), "IF NOT EXISTS "+e.Traces+"\n"):
		t.Errorf("spans go to table %s, which no migration creates", e.Traces)
	case !slices.Contains(c.Service.Extensions, e.SendingQueue.Storage) || len(e.SendingQueue.Batch) == 0:
		t.Errorf("the sending queue is %+v, want it on disk and in batches", e.SendingQueue)
	case defaultOf(c.Extensions[e.SendingQueue.Storage].Directory) != service.Volumes[1].Target:
		t.Errorf("the queue's storage is %+v, which is not on a volume", c.Extensions)
	case c.Processors["memory_limiter"].LimitMiB<<20 >= int64(service.MemLimit):
		t.Errorf("memory limits %+v do not fit the container's %d bytes", c.Processors, service.MemLimit)
	}
	if config := service.Command[0]; config != "--config="+service.Volumes[0].Target {
		t.Errorf("the collector does not read %s", config)
	}
}

// parse reads a YAML file.
func parse(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.NewDecoder(bytes.NewReader([]byte(text(t, path)))).Decode(into); err != nil {
		t.Fatalf("%s: %s", path, yaml.FormatError(err, false, true))
	}
}
