package compose

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// text returns a file of the repository; path is relative to its root.
func text(t *testing.T, path string) string {
	t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// example is the content of .env.example: required variables, and optional ones with their defaults.
type example struct {
	required []string
	optional map[string]string
}

var exampleLine = regexp.MustCompile(`^(#?)([A-Z][A-Z0-9_]*)=(.*)$`)

func readExample(t *testing.T) example {
	t.Helper()
	e := example{optional: map[string]string{}}
	lines := strings.Split(text(t, ".env.example"), "\n")
	for i, line := range lines {
		match := exampleLine.FindStringSubmatch(line)
		if match == nil {
			if line != "" && !strings.HasPrefix(line, "#") {
				t.Errorf(".env.example:%d: %q is neither a variable nor a comment", i+1, line)
			}
			continue
		}
		if i == 0 || !strings.HasPrefix(lines[i-1], "# ") {
			t.Errorf(".env.example:%d: nothing explains %s", i+1, match[2])
		}
		switch {
		case match[1] == "#":
			e.optional[match[2]] = match[3]
		case match[3] != "":
			t.Errorf(".env.example:%d: %s has the value %q", i+1, match[2], match[3])
		default:
			e.required = append(e.required, match[2])
		}
	}
	return e
}

// filled returns .env.example as an operator would fill it in, each secret with a different value.
func filled(e example) map[string]string {
	values := map[string]string{}
	for _, name := range e.required {
		values[name] = "secret0of0" + strings.ReplaceAll(strings.ToLower(name), "_", "0")
	}
	return values
}

// load reads docker-compose.yml as `docker compose` does, with these variables in .env and an empty environment.
func load(t *testing.T, env map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	lines := ""
	for _, name := range slices.Sorted(maps.Keys(env)) {
		lines += fmt.Sprintf("%s=%s\n", name, env[name])
	}
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnvFiles(path), cli.WithDotEnv, cli.WithResolvedPaths(true),
		cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

// project returns docker-compose.yml with a filled .env, as `docker compose up -d` starts it with these profiles.
func project(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	p, err := load(t, filled(readExample(t)), profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allServices returns docker-compose.yml with the services of all profiles.
func allServices(t *testing.T) *types.Project {
	t.Helper()
	return project(t, "tls", "tools")
}

// hooktapeServices returns the services that run hooktape.
func hooktapeServices(p *types.Project) (list []types.ServiceConfig) {
	for _, s := range p.Services {
		if s.Image == "hooktape:local" {
			list = append(list, s)
		}
	}
	return list
}

// value returns a variable of a service's environment.
func value(t *testing.T, s types.ServiceConfig, name string) string {
	t.Helper()
	v, ok := s.Environment[name]
	if !ok || v == nil {
		t.Fatalf("%s has no %s", s.Name, name)
	}
	return *v
}
