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

// rooms are the packages that others build on, and all that each may import of the module. What is not listed is a
// program, a proof, or a part of one: it may import anything, and only its like may import it.
var rooms = map[string][]string{
	"event":                {},
	"spool":                {},
	"otel":                 {},
	"dashboards":           {},
	"internal/enginetest":  {"internal/freeport"},
	"internal/grafanatest": {},
	"internal/storetest":   {"internal/enginetest", "store"},
	"certificate":          {"internal/settled"},
	"internal/settled":     {},
	"internal/browsertest": {},
	"internal/await":       {},
	"internal/freeport":    {},
	"internal/rot":         {},
	"internal/peraddress":  {},
	"internal/serve":       {},
	"internal/setting":     {},
	"internal/smalldisk":   {},
	"internal/chars":       {},
	"internal/redact":      {},
	"bothelp":              {"event", "internal/chars"},
	"store":                {"event", "internal/redact"},
	"ingest":               {"event", "bothelp", "spool", "store", "internal/chars", "internal/peraddress", "internal/redact", "internal/serve", "internal/setting"},
	"replay":               {"event", "spool", "store", "internal/chars", "internal/peraddress", "internal/redact", "internal/setting", "internal/settled"},
	"simulate":             {"event", "bothelp", "store"},
	"archive":              {"event", "store"},
}

// testOnly are packages that only tests may import.
var testOnly = []string{"internal/enginetest", "internal/storetest", "internal/grafanatest", "internal/browsertest", "internal/await", "internal/freeport", "internal/rot", "internal/smalldisk"}

// tops may import everything.
var tops = []string{"cmd/", "proof"}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// TestArrows keeps the direction of imports between the module's packages, as docs/DESIGN.md draws them.
func TestArrows(t *testing.T) {
	found := map[string]bool{}
	for _, p := range list(t) {
		from := ours(p.ImportPath)
		room, inside := roomOf(from)
		found[room] = true
		switch {
		case inside:
			check(t, room, p.Imports, rooms[room])
			check(t, room+" (tests)", append(p.TestImports, p.XTestImports...), slices.Concat(rooms[room], testOnly, []string{"bothelp"})) // what BotHelp sends is read in many tests
		case !isTop(from):
			t.Errorf("%s is neither a room of the design nor a program", from)
		default:
			for _, path := range p.Imports {
				if slices.Contains(testOnly, ours(path)) && !strings.HasPrefix(from, "proof") {
					t.Errorf("%s imports %s, which is for tests", from, ours(path))
				}
			}
		}
	}
	for _, room := range []string{"event", "bothelp", "spool", "store", "ingest", "replay", "otel", "simulate", "archive"} {
		if !found[room] {
			t.Errorf("there is no room %s: the list in this test is out of date", room)
		}
	}
}

func list(t *testing.T) (packages []listed) {
	t.Helper()
	lookAtSources(t)
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

// lookAtSources makes go test run this again when a source has changed: of what go list reads its cache knows nothing.
func lookAtSources(t *testing.T) {
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

// ours is a package's path within the module, "" for one of another module.
func ours(path string) string {
	within, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return within
}

// roomOf is the room that a package is or is a part of.
func roomOf(within string) (room string, ok bool) {
	for room := range rooms {
		if within == room || strings.HasPrefix(within, room+"/") {
			return room, true
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
		room, _ := roomOf(to)
		self, _, _ := strings.Cut(from, " ")
		if to != "" && room != self && !slices.Contains(allowed, room) {
			t.Errorf("%s imports %s; it may import of ours only %v", from, to, allowed)
		}
	}
}

// TestConsoleAsksTheAPI: pages ask api.Direct, which knows roles and the audit log, and never the database.
func TestConsoleAsksTheAPI(t *testing.T) {
	for _, p := range list(t) {
		if ours(p.ImportPath) == "replay/console" && slices.Contains(p.Imports, module+"/store") {
			t.Error("replay/console imports store; what a page needs is a method of api.Direct")
		}
	}
}
