package compose

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// interpolated matches a variable in docker-compose.yml, with its operator and default or error text.
var interpolated = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)(:?[-?+]?)([^}]*)\}`)

// TestExample verifies that .env.example and docker-compose.yml have the same variables and defaults, and that no
// secret has a default.
func TestExample(t *testing.T) {
	e := readExample(t)
	used := map[string]bool{}
	for line := range strings.Lines(text(t, "docker-compose.yml")) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, match := range interpolated.FindAllStringSubmatch(line, -1) {
			name, operator, rest := match[1], match[2], match[3]
			used[name] = true
			standard, optional := e.optional[name]
			switch {
			case optional && (operator != ":-" || rest != standard):
				t.Errorf("%s is %s in docker-compose.yml, but %q in .env.example", name, match[0], standard)
			case !optional && (operator != ":?" || !strings.HasPrefix(rest, "Set "+name+" in .env")):
				t.Errorf("%s is required, but docker-compose.yml has %s", name, match[0])
			}
		}
	}
	listed := append(slices.Clone(e.required), slices.Collect(maps.Keys(e.optional))...)
	slices.Sort(listed)
	if names := slices.Sorted(maps.Keys(used)); !slices.Equal(names, listed) {
		t.Errorf("docker-compose.yml uses %v,\n.env.example explains %v", names, listed)
	}
}

// TestMissingSecrets verifies that Compose refuses to start, and names the variable, when a secret is missing or empty,
// also with an unchanged copy of .env.example.
func TestMissingSecrets(t *testing.T) {
	e := readExample(t)
	for _, name := range e.required {
		for how, change := range map[string]func(map[string]string){
			"absent": func(env map[string]string) { delete(env, name) },
			"empty":  func(env map[string]string) { env[name] = "" },
		} {
			env := filled(e)
			change(env)
			if _, err := load(t, env); err == nil ||
				!strings.Contains(err.Error(), "Set "+name+" in .env; .env.example says how.") {
				t.Errorf("%s is %s: %v", name, how, err)
			}
		}
	}
}

// named returns the variables that a text refers to: the first group of the pattern's matches.
func named(text string, pattern *regexp.Regexp) (names []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// code returns a configuration file without its comments.
func code(text string) string {
	return regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "")
}

// known are the variables that each image knows without a file that names them.
var known = map[string][]string{
	"caddy":      {"GOMEMLIMIT"},
	"clickhouse": {"CLICKHOUSE_SKIP_USER_SETUP"},
	"collector":  {"GOMEMLIMIT"},
	"grafana": {"GOMEMLIMIT", "GF_SECURITY_ADMIN_PASSWORD", "GF_AUTH_ANONYMOUS_ENABLED", "GF_USERS_ALLOW_SIGN_UP",
		"GF_SERVER_ROOT_URL", "GF_PLUGINS_PREINSTALL_SYNC", "GF_PLUGINS_PREINSTALL_AUTO_UPDATE",
		"GF_ANALYTICS_REPORTING_ENABLED", "GF_ANALYTICS_CHECK_FOR_UPDATES", "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES"},
}

// TestVariables verifies that each service gets the variables that its files name, and no variable that neither its
// files nor its program know.
func TestVariables(t *testing.T) {
	p := allServices(t)
	xml := regexp.MustCompile(`from_env="([A-Z_]+)"`)
	collector := code(text(t, "otel/collector.yaml"))
	for service, names := range map[string][]string{
		"caddy": named(code(text(t, "deploy/caddy/Caddyfile")), regexp.MustCompile(`\{\$([A-Z_]+)\}`)),
		"clickhouse": named(text(t, "deploy/clickhouse/users.xml")+text(t,
			"dashboards/provisioning/clickhouse/grafana.xml"), xml),
		"grafana": named(code(text(t, "dashboards/provisioning/datasources/hooktape.yaml")),
			regexp.MustCompile(`\$([A-Z_]+)`)),
		"collector": named(collector, regexp.MustCompile(`\$\{env:([A-Z_]+)\}`)),
	} {
		given := p.Services[service].Environment
		for _, name := range names {
			if given[name] == nil || *given[name] == "" {
				t.Errorf("%s does not get %s", service, name)
			}
		}
		for name := range given {
			optional := service == "collector" && strings.Contains(collector, "${env:"+name+":-")
			if !slices.Contains(names, name) && !slices.Contains(known[service], name) && !optional {
				t.Errorf("%s gets %s, which neither its files nor its program know", service, name)
			}
		}
	}
	if value(t, p.Services["grafana"], "GF_AUTH_ANONYMOUS_ENABLED") != "false" {
		t.Error("Grafana allows anonymous access")
	}
}

// TestHooktapeVariables is TestVariables for hooktape: it knows its flags' variables, those that its configuration file
// names, and those of its libraries.
func TestHooktapeVariables(t *testing.T) {
	help := image(t).run(t, nil, "--help")
	flags := named(help, regexp.MustCompile(`\$(HOOKTAPE_[A-Z_]+)`))
	if len(flags) < 5 {
		t.Fatalf("the help names only %v:\n%s", flags, help)
	}
	file := named(code(text(t, "deploy/hooktape/hooktape.yaml")), regexp.MustCompile(`\$\{([A-Z_]+)\}`))
	libraries := []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "GOMEMLIMIT"}
	for _, s := range hooktapeServices(allServices(t)) {
		for _, name := range file {
			value(t, s, name)
		}
		for name := range s.Environment {
			if !slices.Contains(slices.Concat(flags, file, libraries), name) {
				t.Errorf("%s gets %s, which hooktape does not know", s.Name, name)
			}
		}
	}
}

// environment returns a service's environment in the form of os.Environ.
func environment(s types.ServiceConfig) (list []string) {
	for name, value := range s.Environment {
		if value != nil {
			list = append(list, name+"="+*value)
		}
	}
	return list
}
