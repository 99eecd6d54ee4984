package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/web/console"
)

// TestAdmin: only admins see the pages for admins; the audit log has all entries over its pages, once, and as CSV.
func TestAdmin(t *testing.T) {
	f := newFixture(t)
	console.LimitAudit(t, 7)
	refused := newEvent("", time.Minute)
	refused.Verdict = event.BadToken
	f.insert(newLead("7", "Анна", time.Minute), refused)
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i := range 20 { // many in the same microsecond
		e := store.AuditEntry{At: at.Add(time.Duration(i/10) * time.Second),
			Who: []string{"ада", `<img src=x onerror=alert(1)>`}[i%2], Action: []string{"event.view",
				"replay.create"}[i/10],
			Target: fmt.Sprintf("target %02d", i), Detail: `{"a":"=1+1"}`, RemoteIP: "192.0.2.1"}
		if err := f.db.Audit(background, e); err != nil {
			t.Fatal(err)
		}
	}
	reader, admin := f.login(readSecret), f.login(adminSecret)
	for _, path := range []string{"/audit-log", "/audit-log.csv", "/retention", "/storage"} {
		a := reader.get(path)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "needs the role admin") ||
			strings.Contains(a.body, "target") {
			t.Errorf("%s for a reader: %d %s", path, a.status, a.body)
		}
		if a := f.login(replaySecret).get(path); a.status != http.StatusForbidden {
			t.Errorf("%s for the role replay: %d", path, a.status)
		}
	}
	if strings.Contains(reader.page("/"), ">Admin<") || !strings.Contains(admin.page("/"), ">Admin<") {
		t.Error("the navigation does not depend on the role")
	}
	target, older := regexp.MustCompile(`target \d\d`),
		regexp.MustCompile(`<a class="button" href="([^"]*)" rel="next">Older`)
	walk := func(path string) (found []string, pages int) {
		for path != "" {
			page := admin.page(path)
			pages++
			found = append(found, target.FindAllString(page, -1)...)
			m := older.FindStringSubmatch(page)
			if path = ""; m != nil {
				path = html.UnescapeString(m[1])
			}
		}
		return found, pages
	}
	for path, want := range map[string][2]int{"/audit-log": {20, 3},
		"/audit-log?who=%D0%B0%D0%B4%D0%B0&action=": {10, 2}, "/audit-log?who=&action=replay.create": {10, 2},
		"/audit-log?who=%D0%B0%D0%B4%D0%B0&action=replay.create": {5, 1}, "/audit-log?who=nobody": {0, 1}} {
		found, pages := walk(path)
		once := map[string]bool{}
		for _, text := range found {
			once[text] = true
		}
		if len(found) != want[0] || len(once) != want[0] || pages != want[1] {
			t.Errorf("%s: %d entries, %d different, on %d pages, want %v", path, len(found), len(once), pages, want)
		}
	}
	page := admin.page("/audit-log")
	if strings.Contains(page, "<img") || !strings.Contains(page, "&lt;img") {
		t.Error("a name acts as markup")
	}
	a := admin.get("/audit-log.csv?who=%D0%B0%D0%B4%D0%B0")
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil || len(lines) != 11 || lines[0][0] != "at" || lines[1][1] != "ада" {
		t.Errorf("the CSV: %v, %d lines", err, len(lines))
	}
	for _, wrong := range []string{"/audit-log?step=x", "/audit-log?cursor=x"} {
		if a := admin.get(wrong); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", wrong, a.status)
		}
	}
	for path, texts := range map[string][]string{
		"/retention": {"events", "events.body", "rejected requests", "for ever", "otel_traces"},
		"/storage":   {"ClickHouse: ", "events", "All", "demo", "Compression"},
	} {
		page := admin.page(path)
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
	}
	b := f.browserOnList(adminSecret)
	b.Click(`nav a[href="/audit-log"]`)
	b.AwaitText("h1", "Audit log")
	b.Click(`nav[aria-label=Admin] a[href="/storage"]`)
	b.AwaitText("h1", "Storage")
	f.assertClean(b)
}
