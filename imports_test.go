package hooktape_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "hooktape"

// layers are the packages that others build on, each with the packages of the module that it may import. All other
// packages belong to programs or tests: they may import anything, and only programs and tests may import them.
var layers = map[string][]string{
	"internal/chars":       {},
	"internal/redact":      {},
	"internal/httpserver":  {},
	"internal/setting":     {},
	"internal/testutil":    {"internal/store"},
	"internal/event":       {},
	"internal/spool":       {},
	"internal/bothelp":     {"internal/event", "internal/chars"},
	"internal/certificate": {"internal/setting"},
	"internal/store":       {"internal/event", "internal/redact"},
	"internal/archive":     {"internal/event", "internal/store"},
	"internal/outbound":    {"internal/event", "internal/redact", "internal/setting"},
	"internal/simulate":    {"internal/event", "internal/bothelp", "internal/store"},
	"otel":                 {},
	"dashboards":           {},
	"ingest": {"internal/event", "internal/bothelp", "internal/outbound", "internal/spool", "internal/store",
		"internal/chars", "internal/httpserver", "internal/redact", "internal/setting"},
	"replay": {"internal/event", "internal/outbound", "internal/spool", "internal/store",
		"internal/redact", "internal/setting"},
	"cmd/embedded-clickhouse/embedded": {},
	"internal/config": {"ingest", "replay", "web", "internal/event", "internal/outbound", "internal/spool",
		"internal/store", "internal/redact", "internal/setting", "cmd/embedded-clickhouse/embedded"},
	"internal/server": {"internal/config", "ingest", "replay", "web", "otel", "internal/certificate", "internal/event",
		"internal/outbound", "internal/httpserver", "internal/setting", "internal/spool", "internal/store",
		"cmd/embedded-clickhouse/embedded"},
	"internal/doctor": {"ingest", "internal/config", "internal/server", "dashboards", "replay", "internal/certificate",
		"internal/event", "internal/outbound", "internal/redact", "internal/spool", "internal/store"},
	"web": {"replay", "dashboards", "internal/bothelp", "internal/event", "internal/outbound", "internal/spool",
		"internal/store", "internal/chars", "internal/httpserver", "internal/redact", "internal/setting"},
}

// testOnly has the packages that only tests may import.
const testOnly = "internal/testutil"

// tops are the folders that may import everything.
var tops = []string{"cmd/", "test/"}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// TestImports verifies the direction of imports between the module's packages, as docs/ARCHITECTURE.md draws them.
func TestImports(t *testing.T) {
	found := map[string]bool{}
	for _, p := range list(t) {
		from := ours(p.ImportPath)
		layer, inside := layerOf(from)
		found[layer] = true
		switch {
		case inside:
			check(t, layer, p.Imports, layers[layer])
			// many tests read BotHelp's requests
			check(t, layer+" (tests)", append(p.TestImports, p.XTestImports...),
				append(slices.Clone(layers[layer]), testOnly, "internal/bothelp"))
		case !isTop(from):
			t.Errorf("%s is neither a layer of docs/ARCHITECTURE.md nor a program", from)
		default:
			for _, path := range p.Imports {
				if strings.HasPrefix(ours(path), testOnly) && !strings.HasPrefix(from, "test/") {
					t.Errorf("%s imports %s, which only tests may import", from, ours(path))
				}
			}
		}
	}
	for layer := range layers {
		if !found[layer] {
			t.Errorf("no package %s: the list in this test is out of date", layer)
		}
	}
}

func list(t *testing.T) (packages []listed) {
	t.Helper()
	dependOnSources(t)
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// dependOnSources makes go test run this test again when a source has changed: its cache does not know what go list
// reads.
func dependOnSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".git", path == "bin", path == "data":
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ours returns a package's path within the module, "" for a package of another module.
func ours(path string) string {
	within, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return within
}

// layerOf returns the layer that a package belongs to.
func layerOf(within string) (layer string, ok bool) {
	for layer := range layers {
		if within == layer || strings.HasPrefix(within, layer+"/") {
			return layer, true
		}
	}
	return "", false
}

func isTop(within string) bool {
	return within == "" || slices.ContainsFunc(tops, func(top string) bool { return strings.HasPrefix(within, top) })
}

func check(t *testing.T, from string, imports, allowed []string) {
	t.Helper()
	for _, path := range imports {
		to := ours(path)
		layer, _ := layerOf(to)
		self, _, _ := strings.Cut(from, " ")
		if to != "" && layer != self && !slices.Contains(allowed, layer) {
			t.Errorf("%s imports %s; of this module it may import only %v", from, to, allowed)
		}
	}
}

// TestConsoleAsksTheAPI verifies that pages use api.Direct, which checks roles and writes the audit log, and never the
// database.
func TestConsoleAsksTheAPI(t *testing.T) {
	for _, p := range list(t) {
		if ours(p.ImportPath) == "web/console" && slices.Contains(p.Imports, module+"/internal/store") {
			t.Error("web/console imports store; what a page needs is a method of api.Direct")
		}
	}
}
