package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/web/api"
)

// curl is a command for a POSIX shell that sends an event's request again, to its hook: the same method, query, body and
// headers, but those of the connection and those that may be a secret. The token in the path is masked already. A long body
// is to be downloaded beside it.
func (v *visit) curl(e api.Event) string {
	target := "http://HOST" + strings.Replace(e.Request.Path, redact.Mask, "TOKEN", 1)
	for _, s := range v.Sources() {
		if s.Name != e.Source {
			continue
		}
		if base, _, ok := strings.Cut(s.HookURL, "/hooks/"); ok {
			target = base + strings.Replace(e.Request.Path, redact.Mask, "TOKEN", 1)
		}
	}
	if query := e.Request.RawQuery(); query != "" {
		target += "?" + query
	}
	lines := []string{"curl -sS --globoff -X " + shellWord(e.Request.Method) + " " + shellWord(target)}
	typed := false
	for _, h := range outbound.ForwardedHeaders(e.Request.Headers, nil, nil) {
		typed = typed || http.CanonicalHeaderKey(h.Name) == "Content-Type"
		if h.Value == "" {
			lines = append(lines, "-H "+shellWord(h.Name+";")) // curl's way to send an empty one
			continue
		}
		lines = append(lines, "-H "+shellWord(h.Name+": "+h.Value))
	}
	if !typed {
		lines = append(lines, "-H 'Content-Type:'") // else curl would say that it is a form
	}
	body := e.Request.Bytes()
	if plainText(string(body)) && len(body) <= maxArgument {
		return strings.Join(append(lines, "--data-raw "+quoted(string(body))), " \\\n  ")
	}
	if len(body) > maxArgument {
		return strings.Join(append(lines, "--data-binary "+shellWord("@"+e.ID.String()+".body")), " \\\n  ")
	}
	// One line of base64 may be longer than what a terminal takes.
	text := base64.StdEncoding.EncodeToString(body)
	var wrapped strings.Builder
	for ; len(text) > 76; text = text[76:] {
		wrapped.WriteString(text[:76] + "\n")
	}
	return "base64 -d <<'END' | " + strings.Join(append(lines, "--data-binary @-"), " \\\n  ") + "\n" + wrapped.String() + text + "\nEND"
}

// maxArgument is how long a word on a command line may be: Linux takes 128 KiB.
const maxArgument = 64 << 10

// shellWord writes bytes as one word for a POSIX shell. What a page cannot show, and so nobody could copy, is written as
// printf reads it.
func shellWord(s string) string {
	if plainText(s) && !strings.Contains(s, "\n") {
		return quoted(s)
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\0%03o`, c)
	}
	return `"$(printf %b '` + b.String() + `')"`
}

// quoted writes text between single quotes, in which a shell reads nothing but the closing one.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// plainText tells whether a page shows a text as it is, so that what is copied from there is the same, and pasting it into
// a terminal is: a tab would complete a name.
func plainText(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == '\t' || signOf(r, size, s[i]) != "" {
			return false
		}
		i += size
	}
	return true
}
