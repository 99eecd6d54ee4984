package chhttp

import (
	"strings"
	"testing"
)

func TestTokenize(t *testing.T) {
	const sql = "SELECT `file`(1), f('it\\'s (', `a\\`b`), {x:String}, [1.5, -2] FROM t AS FORMAT"
	tokens, err := tokenize(sql)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, token := range tokens {
		text := token.text
		if token.called {
			text += "()"
		}
		got = append(got, text)
	}
	want := "SELECT|file()|(|1|)|,|f()|(|'it\\'s ('|,|a\\`b|)|,|{x:String}|,|[|1|.|5|,|-|2|]|FROM|t|AS|FORMAT"
	if got := strings.Join(got, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, sql := range []string{"SELECT 1 -- x", "SELECT /* */ 1", `SELECT "a"`, "SELECT 'a", "SELECT `a", "SELECT 1;",
		"SELECT $x$", "SELECT é", "SELECT 1)", "SELECT {x", "SELECT \\"} {
		if tokens, err := tokenize(sql); err == nil {
			t.Errorf("invalid %q: got tokens %v, want an error", sql, tokens)
		}
	}
}

// FuzzTokenize verifies that no text makes the tokenizer leave its bounds, stop advancing, or skip a byte that is not
// white space.
func FuzzTokenize(f *testing.F) {
	for _, seed := range []string{"INSERT INTO t FORMAT CSV", "'\\", "`", "{", "((1)", "SELECT 'a\\'' FROM `x`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		tokens, err := tokenize(sql)
		if err != nil {
			return
		}
		end := 0
		for _, token := range tokens {
			if strings.Trim(sql[end:token.start], " \n") != "" || token.end <= token.start {
				t.Errorf("%q: token %v after %d", sql, token, end)
			}
			end = token.end
		}
		if strings.Trim(sql[end:], " \n") != "" {
			t.Errorf("%q: no progress after byte %d", sql, end)
		}
	})
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "zstd, gzip;q=0": false,
		"deflate": false} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}
