package compose

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// oneShot are the services that end when their work is done.
var oneShot = []string{"migrate", "collector-volume", "tools"}

// capabilities are the capabilities that services keep. All others are dropped.
var capabilities = map[string][]string{"collector-volume": {"CHOWN"}, "caddy": {"NET_BIND_SERVICE"}}

// TestHardened verifies that no service can write to its image, gain rights, fill the disk with its log, or use the
// others' memory.
func TestHardened(t *testing.T) {
	const server = 3300 << 20 // of 4 GB; the rest is for the system and Docker
	const proxy = 200 << 20
	sum := types.UnitBytes(0)
	for _, s := range allServices(t).Services {
		logging := s.Logging
		switch {
		case !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) ||
			!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged:
			t.Errorf("%s has rights it does not need", s.Name)
		case logging == nil || logging.Options["max-size"] == "" || logging.Options["max-file"] == "":
			t.Errorf("%s has no limit for its log", s.Name)
		case s.MemLimit == 0:
			t.Errorf("%s has no memory limit", s.Name)
		case !slices.Equal(s.CapAdd, capabilities[s.Name]), s.User == "0:0" && s.Name != "collector-volume":
			t.Errorf("%s runs as root or with unexpected capabilities: %v", s.Name, s.CapAdd)
		}
		if slices.Contains(oneShot, s.Name) {
			if s.Restart != types.RestartPolicyNo {
				t.Errorf("one-shot service %s restarts when it ends", s.Name)
			}
			continue
		}
		if s.Name == "caddy" {
			if s.MemLimit > proxy {
				t.Errorf("the memory limit of %s is %d MiB", s.Name, s.MemLimit>>20)
			}
		} else {
			sum += s.MemLimit
		}
		if s.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("%s does not restart when it fails", s.Name)
		}
		if (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) == 0) != (s.Name == "collector") {
			t.Errorf("%s has the health check %+v", s.Name, s.HealthCheck)
		}
	}
	if sum > server {
		t.Errorf("the memory limits of all services sum up to %d MiB", sum>>20)
	}
}

// TestProfiles verifies that without a profile neither the proxy nor a service that writes the configuration starts.
func TestProfiles(t *testing.T) {
	p := project(t)
	for _, name := range []string{"caddy", "tools"} {
		if _, ok := p.Services[name]; ok {
			t.Errorf("%s starts without its profile", name)
		}
	}
}

// TestCaddy verifies that Caddy forwards the hooks to ingest from the only address whose X-Forwarded-For hooktape
// trusts, and logs no URL.
func TestCaddy(t *testing.T) {
	p := allServices(t)
	file := text(t, "deploy/caddy/Caddyfile")
	for _, want := range []string{"\n{$HOOKTAPE_DOMAIN} {\n\treverse_proxy ingest:8080\n}", "request>uri delete",
		"request>headers delete"} {
		if !strings.Contains(file, want) {
			t.Errorf("the Caddyfile does not contain %q", want)
		}
	}
	caddy := p.Services["caddy"]
	value(t, caddy, "HOOKTAPE_DOMAIN")
	proxied := p.Networks["proxied"]
	addr, err := netip.ParseAddr(caddy.Networks["proxied"].Ipv4Address)
	if err != nil {
		t.Fatal(err)
	}
	if subnet := netip.MustParsePrefix(proxied.Ipam.Config[0].Subnet); !proxied.Internal || !subnet.Contains(addr) {
		t.Errorf("Caddy has the address %s, want one of the network %+v", addr, proxied)
	}
	var config struct {
		Ingest, API struct {
			TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
		}
	}
	parse(t, "deploy/hooktape/hooktape.yaml", &config)
	only := []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
	if !slices.Equal(config.Ingest.TrustedProxies, only) || !slices.Equal(config.API.TrustedProxies, only) {
		t.Errorf("hooktape trusts %+v, but Caddy's address is %s", config, addr)
	}
	for name := range caddy.Networks {
		if _, shared := p.Services["ingest"].Networks[name]; shared != (name == "proxied") {
			t.Errorf("Caddy and ingest share the network %s, where Caddy has another address", name)
		}
	}
	for _, s := range p.Services {
		if _, ok := s.Networks["proxied"]; ok != slices.Contains([]string{"caddy", "ingest", "replay"}, s.Name) {
			t.Errorf("%s is in the networks %v", s.Name, s.Networks)
		}
	}
}

// TestPublishedPorts verifies that the hooks are public, that the console and Grafana can be reached from this machine
// only, and that ClickHouse has no connection to the outside in either direction.
func TestPublishedPorts(t *testing.T) {
	p := allServices(t)
	for _, s := range p.Services {
		var open []string
		for _, port := range s.Ports {
			open = append(open, port.HostIP+":"+port.Published)
		}
		want := map[string][]string{"ingest": {"0.0.0.0:8080"}, "replay": {"127.0.0.1:8081"},
			"grafana": {"127.0.0.1:3000"}, "caddy": {":80", ":443"}}[s.Name]
		if !slices.Equal(open, want) {
			t.Errorf("%s publishes %v", s.Name, open)
		}
		if _, out := s.Networks["public"]; out != slices.Contains([]string{"ingest", "replay", "grafana"}, s.Name) {
			t.Errorf("%s is in the networks %v", s.Name, s.Networks)
		}
	}
	if !p.Networks["inside"].Internal || p.Networks["public"].Internal || p.Networks["edge"].Internal {
		t.Errorf("wrong networks are internal: %+v", p.Networks)
	}
}

// TestOrder verifies that ingest waits for no other service, and that services that need tables wait for the
// migrations.
func TestOrder(t *testing.T) {
	p := project(t)
	for service, want := range map[string]map[string]string{
		"ingest":  {"clickhouse": types.ServiceConditionStarted},
		"migrate": {"clickhouse": types.ServiceConditionHealthy},
		"replay":  {"migrate": types.ServiceConditionCompletedSuccessfully},
		"grafana": {"clickhouse": types.ServiceConditionHealthy},
		"collector": {"migrate": types.ServiceConditionCompletedSuccessfully,
			"collector-volume": types.ServiceConditionCompletedSuccessfully},
	} {
		got := p.Services[service].DependsOn
		if len(got) != len(want) {
			t.Errorf("%s depends on %v", service, got)
		}
		for on, condition := range want {
			if got[on].Condition != condition {
				t.Errorf("%s depends on %s as %q, want %q", service, on, got[on].Condition, condition)
			}
		}
	}
}

// TestMounts verifies that every mounted file exists and is read-only except for the service that writes it, and that
// permanent data has a volume.
func TestMounts(t *testing.T) {
	p := allServices(t)
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, s := range p.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				if s.Name == "tools" {
					continue // this service writes the configuration and the backups
				}
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s mounts a missing file: %v", s.Name, err)
				}
				if !v.ReadOnly || !strings.HasPrefix(v.Source, here+string(filepath.Separator)) {
					t.Errorf("%s mounts %s, read-only: %v", s.Name, v.Source, v.ReadOnly)
				}
			case types.VolumeTypeVolume:
				used[v.Source] = true
			}
		}
	}
	for name := range p.Volumes {
		if !used[name] {
			t.Errorf("no service uses the volume %s", name)
		}
	}
	for service, path := range map[string]string{
		"ingest": "/var/lib/hooktape", "replay": "/var/lib/hooktape", "clickhouse": "/var/lib/clickhouse",
		"grafana": "/var/lib/grafana", "collector": "/var/lib/otelcol", "caddy": "/data",
	} {
		if !slices.ContainsFunc(p.Services[service].Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Target == path && v.Type == types.VolumeTypeVolume && v.Source == service
		}) {
			t.Errorf("%s has no volume of its own at %s", service, path)
		}
	}
}

var pinned = regexp.MustCompile(`^([a-z]+/)?[a-z-]+:[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?(-alpine)?$`)

// TestImages verifies that images are pinned to one release each, and that ClickHouse's is of the release line of the
// embedded engine.
func TestImages(t *testing.T) {
	p := allServices(t)
	for _, s := range p.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s has the image %s, want a pinned release", s.Name, s.Image)
		}
	}
	engine := regexp.MustCompile(`const EngineVersion = "([0-9]+\.[0-9]+)\.`).FindStringSubmatch(text(t,
		"cmd/embedded-clickhouse/embedded/embedded.go"))
	if image := p.Services["clickhouse"].Image; engine == nil ||
		!strings.HasPrefix(image, "clickhouse/clickhouse-server:"+engine[1]+".") {
		t.Errorf("the server's image is %s, but the embedded engine is %v", image, engine)
	}
	plugin := value(t, p.Services["grafana"], "GF_PLUGINS_PREINSTALL_SYNC")
	if !regexp.MustCompile(`^grafana-clickhouse-datasource@[0-9]+\.[0-9]+\.[0-9]+$`).MatchString(plugin) {
		t.Errorf("Grafana's plugin is %s", plugin)
	}
}
