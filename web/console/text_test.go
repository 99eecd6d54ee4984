package console_test

import (
	"bytes"
	"html"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"hooktape/web/console"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"Анна <b>&\"'":     "Анна &lt;b&gt;&amp;&#34;&#39;",
		"\x1b[31m":         `<i class="sign">␛</i>[31m`,
		"a\x00b":           `a<i class="sign">␀</i>b`,
		"x\u202ey":         `x<i class="sign">U+202E</i>y`,
		"\xff":             `<i class="sign">\xFF</i>`,
		"a\nb\tc":          "a\nb\tc",
		"👩\u200d👩":         "👩\u200d👩",
		"\ufffd":           "\ufffd",
		"\x7f\u0085\u2028": `<i class="sign">␡</i><i class="sign">U+0085</i><i class="sign">U+2028</i>`,
		"\u3164":           `<i class="sign">U+3164</i>`,
	} {
		if got := string(console.Visible(text)); got != want {
			t.Errorf("%q was shown as %s, want %s", text, got, want)
		}
	}
	if got := string(console.Line("a\nb\r" + strings.Repeat("ж", 1000))); !strings.Contains(got, "␊") ||
		!strings.Contains(got, "␍") || strings.Contains(got, "\n") || strings.Count(got, "ж") != 116 ||
		!strings.Contains(got, "…") {
		t.Errorf("long text on one line: %s", got)
	}
}

// FuzzVisible verifies for any text that the HTML has no other markup, no hidden character, and every visible
// character.
func FuzzVisible(f *testing.F) {
	for _, text := range hostile {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	signs := regexp.MustCompile(`<i class="sign">[^<>]*</i>`)
	f.Fuzz(func(t *testing.T, text string) {
		out := string(console.Visible(text))
		rest := signs.ReplaceAllString(out, "")
		if strings.ContainsAny(rest, "<>\"'") || !utf8.ValidString(out) {
			t.Fatalf("%q became %q", text, out)
		}
		for _, r := range html.UnescapeString(rest) {
			if r != '\n' && r != '\t' && r != '\u200c' && r != '\u200d' &&
				(unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%q became %q, with the character %U", text, out, r)
			}
		}
		if utf8.ValidString(text) &&
			utf8.RuneCountInString(html.UnescapeString(rest))+len(signs.FindAllString(out,
				-1)) != utf8.RuneCountInString(text) {
			t.Fatalf("%q became %q: characters are missing", text, out)
		}
	})
}

func TestPrettyJSON(t *testing.T) {
	for raw, want := range map[string]string{
		`{"name":"\u0410\u043d\u043d\u0430","n":1.0,"big":12345678901234567890.10e+5,"a":[1,{}],"same":1,"same":2}`: "{\n  \"name\": \"Анна\",\n  \"n\": 1.0,\n  \"big\": 12345678901234567890.10e+5,\n  \"a\": [\n    1,\n    {}\n  ],\n  \"same\": 1,\n  \"same\": 2\n}",
		`"текст"`:                `"текст"`,
		` 0.10 `:                 `0.10`,
		`{"a":"<script>\u001b"}`: "{\n  \"a\": \"<script>\\u001b\"\n}",
	} {
		if got, ok := console.PrettyJSON([]byte(raw)); !ok || got != want {
			t.Errorf("%s was formatted as %s (%v), want %s", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", "a=1&b=2", `{"a":1} {"b":2}`, `{"a":`, "{'a':1}", "\xff"} {
		if got, ok := console.PrettyJSON([]byte(raw)); ok {
			t.Errorf("%q was accepted as JSON: %s", raw, got)
		}
	}
}

func TestChanges(t *testing.T) {
	got, ok := console.ChangesOf([]byte(`{"a":1,"b":"x","c":{"d":[1,2]},"gone":null,"n":1.0}`),
		[]byte(`{"a":1,"b":"y","c":{"d":[1,3]},"n":1.00,"new":"\u0434а"}`))
	want := []console.Change{{Name: "b", Before: "x", After: "y"}, {Name: "c.d[1]", Before: "2", After: "3"},
		{Name: "n", Before: "1.0", After: "1.00"}, {Name: "new", After: "да", Added: true},
		{Name: "gone", Before: "null", Removed: true}}
	if !ok || len(got) != len(want) {
		t.Fatalf("got the changes %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("change %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if _, ok := console.ChangesOf([]byte("a=1"), []byte("{}")); ok {
		t.Error("a form was compared as JSON")
	}
}

// TestShellWord verifies that a real shell reads the words back unchanged.
func TestShellWord(t *testing.T) {
	words := []string{"", "plain", "it's", `"$HOME" \ $(id) ` + "`id`", "100%s \\n", "café", "tab\tand\x1bescape",
		"line\nbreak", "\xff\xfe", "-n", "ends in newlines is not asked for"}
	for _, text := range hostile {
		if len(text) < 1000 && !strings.Contains(text, "\x00") && !strings.HasSuffix(text, "\n") {
			words = append(words, text)
		}
	}
	for _, shell := range []string{"sh", "bash", "dash"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			if shell == "sh" {
				t.Fatal(err)
			}
			continue
		}
		for _, word := range words {
			out, err := exec.Command(path, "-c", "set -f; printf '%s|' "+console.ShellWord(word)).Output()
			if err != nil || string(out) != word+"|" {
				t.Errorf("%s read %q back as %q, %v", shell, word, out, err)
			}
		}
	}
}

// FuzzShellWord verifies that a shell reads back any text without NUL, which no word can contain.
func FuzzShellWord(f *testing.F) {
	f.Add("it's")
	f.Fuzz(func(t *testing.T, word string) {
		word = strings.TrimRight(strings.ReplaceAll(word, "\x00", ""), "\n")
		out, err := exec.Command("sh", "-c", "printf '%s' "+console.ShellWord(word)).Output()
		if err != nil || !bytes.Equal(out, []byte(word)) {
			t.Errorf("%q was read back as %q, %v", word, out, err)
		}
	})
}

func TestLocalPath(t *testing.T) {
	for to, want := range map[string]string{"/events/1?all=1#body": "/events/1?all=1#body", "": "/",
		"//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "javascript:alert(1)": "/",
		"/\t/evil.example": "/", "events": "/", "/login?to=/login": "/", "/logout": "/",
		"/?text=%0d%0aSet-Cookie:x": "/?text=%0d%0aSet-Cookie:x"} {
		if got := console.LocalPath(to); got != want {
			t.Errorf("LocalPath(%q) is %q, want %q", to, got, want)
		}
	}
}

// TestSize verifies that the assets are small.
func TestSize(t *testing.T) {
	total, own := 0, 0
	for name, asset := range console.Assets {
		n := console.Size(asset)
		total += n
		if name == "console.js" {
			own = n
		}
	}
	if total > 100_000 || own > 8000 || len(console.Assets) != 4 {
		t.Errorf("%d files have %d bytes, console.js %d of them", len(console.Assets), total, own)
	}
}

func unescape(text string) string { return html.UnescapeString(text) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
