package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/web/api"
)

// curl returns a command for a POSIX shell that sends an event's request to its hook again. It has the same method,
// query and body, and the headers except those of the connection and possible secrets. TOKEN stands for the token in
// the path. A long body must be downloaded into the same folder.
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
			lines = append(lines, "-H "+shellWord(h.Name+";")) // curl's syntax for an empty header
			continue
		}
		lines = append(lines, "-H "+shellWord(h.Name+": "+h.Value))
	}
	if !typed {
		lines = append(lines, "-H 'Content-Type:'") // otherwise curl would declare a form
	}
	body := e.Request.Bytes()
	if plainText(string(body)) && len(body) <= maxArgument {
		return strings.Join(append(lines, "--data-raw "+quoted(string(body))), " \\\n  ")
	}
	if len(body) > maxArgument {
		return strings.Join(append(lines, "--data-binary "+shellWord("@"+e.ID.String()+".body")), " \\\n  ")
	}
	// A terminal may limit the length of a line.
	text := base64.StdEncoding.EncodeToString(body)
	var wrapped strings.Builder
	for ; len(text) > 76; text = text[76:] {
		wrapped.WriteString(text[:76] + "\n")
	}
	return "base64 -d <<'END' | " + strings.Join(append(lines, "--data-binary @-"),
		" \\\n  ") + "\n" + wrapped.String() + text + "\nEND"
}

// maxArgument limits a word of the command, in bytes; the limit of Linux is 128 KiB.
const maxArgument = 64 << 10

// shellWord quotes bytes as one word for a POSIX shell. Bytes that cannot be copied from a page are octal escapes of
// printf.
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

// quoted returns a text in single quotes, between which a shell interprets only the closing one.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// plainText reports whether a text can be copied from a page and pasted into a terminal unchanged. A tab would complete
// a name there.
func plainText(s string) bool {
	for _, sign := range pieces(s) {
		if sign {
			return false
		}
	}
	return !strings.Contains(s, "\t")
}
