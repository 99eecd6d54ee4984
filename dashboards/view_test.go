package dashboards

import (
	"io/fs"
	"strings"
	"testing"
	"time"
)

// TestExpandHostileValues: whatever text a value is, a query has the same quotes and as many words as with a plain one.
func TestExpandHostileValues(t *testing.T) {
	names, err := fs.Glob(files, "sql/*/*.sql")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	now := time.Now()
	expand := func(sql, value string) string {
		v := View{From: now.Add(-time.Hour), To: now, Interval: time.Minute, Zone: "Europe/Moscow",
			Values: map[string][]string{}}
		for _, m := range variable.FindAllStringSubmatch(sql, -1) {
			v.Values[m[1]] = []string{value, Key(value)}
		}
		text, err := v.Expand(sql)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		return text
	}
	for _, name := range names {
		sql, err := SQL(strings.TrimSuffix(strings.TrimPrefix(name, "sql/"), ".sql"))
		if err != nil {
			t.Fatal(err)
		}
		plain := expand(sql, "plain")
		for _, value := range []string{"", "'", `\`, `\'`, "'; DROP TABLE events; --", "a,b", "{a}", "*", "%27",
			"$__toTime", "${source}",
			"two\nlines", "a\x00b", "`", "/*", "--", "🙂", "осень", "\xff"} {
			text := expand(sql, value)
			if strings.Count(text, "'") != strings.Count(plain, "'") ||
				len(strings.Fields(text)) != len(strings.Fields(plain)) || strings.Contains(text, "DROP TABLE") {
				t.Errorf("%s with %q:\n%s", name, value, text)
			}
		}
	}
}

// TestExpandZone: the name of a zone is the one value that is not encoded, so only what a name can have is accepted.
func TestExpandZone(t *testing.T) {
	for zone, ok := range map[string]bool{"Europe/Moscow": true, "Etc/GMT+3": true, "America/Port-au-Prince": true,
		"UTC": true, "no/such zone": true,
		"'": false, `\`: false, "UTC'; DROP TABLE events": false, "$__toTime": false, "${source}": false, "a\nb": false,
		"(SELECT 1)": false} {
		text, err := View{Zone: zone}.Expand("SELECT '${__timezone}'")
		if (err == nil) != ok || ok && text != "SELECT '"+zone+"'" {
			t.Errorf("%q: %s, %v", zone, text, err)
		}
	}
}

func TestKey(t *testing.T) {
	for text, want := range map[string]string{"": "(none)", "(none)": "%28none%29", "vk": "vk", "*": "%2A",
		"a,b": "a%2Cb", "a b+c": "a%20b%2Bc"} {
		if got := Key(text); got != want {
			t.Errorf("Key(%q) = %q, want %q", text, got, want)
		}
	}
}
