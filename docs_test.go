package hooktape_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	testName = regexp.MustCompile(`\bTest[A-Z]\w*`)
	inCode   = regexp.MustCompile("`([^`\n]+)`")
	target   = regexp.MustCompile(`\bmake ([a-z]+(?:-[a-z]+)*)`)
	ourPath  = regexp.MustCompile(`^(?:cmd|dashboards|deploy|docs|ingest|internal|otel|replay|test|web)/[\w./-]+$`)
)

// TestDocuments verifies that the pages name only existing files, headings, tests and make targets.
func TestDocuments(t *testing.T) {
	tests, makefile := sources(t, "_test.go", "."), read(t, "Makefile")
	for _, page := range pages(t) {
		text := read(t, page)
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			checkLink(t, page, match[1], strings.TrimPrefix(match[2], "#"))
		}
		if page == "CHANGELOG.md" { // it has names of past versions
			continue
		}
		for _, name := range testName.FindAllString(text, -1) {
			if !strings.Contains(tests, "func "+name+"(") {
				t.Errorf("%s: no test %s", page, name)
			}
		}
		for _, code := range inCode.FindAllStringSubmatch(text, -1) {
			if match := target.FindStringSubmatch(code[1]); match != nil &&
				!strings.Contains(makefile, "\n"+match[1]+":") {
				t.Errorf("%s: no make target %q", page, match[0])
			}
			if ourPath.MatchString(code[1]) && code[1] == strings.ToLower(code[1]) {
				if _, err := os.Stat(code[1]); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
		}
	}
}

func pages(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		all = append(all, found...)
	}
	return all
}

// checkLink verifies a link of a page to a file, a heading, or both.
func checkLink(t *testing.T, page, path, anchor string) {
	t.Helper()
	if strings.Contains(path, "://") {
		return
	}
	to := page
	if path != "" {
		to = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(to); err != nil {
		t.Errorf("%s: the link to %s: %v", page, path, err)
		return
	}
	if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
		t.Errorf("%s: %s has no heading #%s", page, to, anchor)
	}
}

// anchors returns the headings of a page in the form of GitHub's links.
func anchors(text string) (names []string) {
	unnamed := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-"))
	}
	return names
}

// TestPathOfAWebhook verifies the functions that docs/ARCHITECTURE.md lists, from POST to the attempt's row.
func TestPathOfAWebhook(t *testing.T) {
	_, chapter, _ := strings.Cut(read(t, "docs/ARCHITECTURE.md"), "## From POST to the attempt's row")
	rows := regexp.MustCompile("(?m)^\\| (`.+`) \\| (.+) \\|$").FindAllStringSubmatch(chapter, -1)
	if len(rows) < 4 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	store := sources(t, ".go", "internal/store")
	for _, row := range rows {
		code := ""
		for _, folder := range inCode.FindAllStringSubmatch(row[1], -1) {
			code += sources(t, ".go", folder[1])
		}
		for _, match := range inCode.FindAllStringSubmatch(row[2], -1) {
			owner, name, qualified := strings.Cut(match[1], ".")
			if !qualified {
				owner, name = "", match[1]
			}
			in := code
			if owner == "store" {
				in, owner = store, ""
			}
			method := ""
			if owner != "" {
				method = `\(\w+ \*?` + owner + `(\[\w+\])?\) `
			} else if qualified {
				method = `\(\w+ \*Store\) `
			}
			function := regexp.MustCompile(`(?m)^func (\(\w+ \*?\w+\) )?` + name + `\(`)
			if method != "" {
				function = regexp.MustCompile(`(?m)^func ` + method + name + `\(`)
			}
			if !isTable(name) && !function.MatchString(in) {
				t.Errorf("%s has no function %s", row[1], match[1])
			}
		}
	}
}

// isTable reports whether a name in the chapter is a table's.
func isTable(name string) bool {
	return slices.Contains([]string{"stored_ranges", "attempts", "deliveries"}, name)
}

// sources returns the text of all Go files below a folder whose names end with suffix.
func sources(t *testing.T, suffix, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "data"}, path) {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(path, suffix) {
			all.WriteString(read(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
