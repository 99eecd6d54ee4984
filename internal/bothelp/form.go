package bothelp

import (
	"bytes"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/event"
)

// isForm reports whether the text of a request is a form, application/x-www-form-urlencoded. A text that begins like
// JSON is not, whatever the header says. Without the header it must look like a form: a name, "=", a value, and no byte
// that a form would escape.
func isForm(req *event.Received, text []byte) bool {
	text = bytes.TrimSpace(text)
	if beginsAsJSON(text) {
		return false
	}
	name, value, ok := bytes.Cut(text, []byte("="))
	if !ok || len(name) == 0 {
		return false
	}
	if strings.Contains(strings.ToLower(header(req, "Content-Type")), "form-urlencoded") {
		return true
	}
	// base64 may end in "="
	return len(bytes.Trim(value, "=")) > 0 && !bytes.ContainsAny(text, " \t\r\n\"<>{}")
}

// beginsAsJSON reports whether text begins with an object or an array.
func beginsAsJSON(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// formObject converts a form to the equivalent JSON object, so the same rules apply to both. PHP's brackets become
// objects: subscriber[name]=x is {"subscriber":{"name":"x"}}.
func (d *decoding) formObject(req *event.Received, text []byte) []byte {
	var pairs [][2]string
	var plain []byte // all names and values
	for pair := range bytes.SplitSeq(bytes.TrimSpace(text), []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, value, _ := strings.Cut(string(pair), "=")
		name, badName := unescape(name)
		value, badValue := unescape(value)
		if badName || badValue {
			d.faults.ofKey([]byte(name), "a percent sign that escapes nothing, kept as it came")
		}
		pairs = append(pairs, [2]string{name, value})
		plain = append(append(plain, name...), value...)
	}
	cyrillic := isWindows1251(req, plain)
	w := formWriter{out: []byte("{")}
	for _, pair := range pairs {
		name, value := pair[0], pair[1]
		if cyrillic {
			name = string(fromWindows1251([]byte(name)))
			value = string(fromWindows1251([]byte(value)))
		}
		d.replaced = !utf8.ValidString(name) || !utf8.ValidString(value)
		d.noteReplaced([]byte(name))
		w.write(segments(name), value)
	}
	w.close(0)
	return append(w.out, '}')
}

// unescape decodes a form's escapes. Text with an invalid one stays unchanged.
func unescape(text string) (_ string, bad bool) {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text, true
	}
	return plain, false
}

// segments splits a[b][c]. Empty brackets, and more than maxDown, are part of the name.
func segments(name string) []string {
	head, rest, ok := strings.Cut(name, "[")
	if !ok || head == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	inner := strings.Split(strings.TrimSuffix(rest, "]"), "][")
	for _, segment := range inner {
		if segment == "" || len(inner) > maxDown {
			return []string{name}
		}
	}
	return append([]string{head}, inner...)
}

// formWriter writes the members of a JSON object. Consecutive members of the same inner object are written into one.
type formWriter struct {
	out     []byte
	objects []string // inner ones that are open
}

// write adds a member with the last of the names, inside objects with the names before.
func (w *formWriter) write(names []string, value string) {
	last := len(names) - 1
	shared := 0
	for shared < min(last, len(w.objects)) && w.objects[shared] == names[shared] {
		shared++
	}
	w.close(shared)
	for _, name := range names[shared:last] {
		w.name(name)
		w.out = append(w.out, '{')
		w.objects = append(w.objects, name)
	}
	w.name(names[last])
	w.out, _ = jsontext.AppendQuote(w.out, value) // the error only reports replaced invalid UTF-8
}

// name begins a member.
func (w *formWriter) name(name string) {
	if w.out[len(w.out)-1] != '{' {
		w.out = append(w.out, ',')
	}
	w.out, _ = jsontext.AppendQuote(w.out, name)
	w.out = append(w.out, ':')
}

// close closes inner objects until n are open.
func (w *formWriter) close(n int) {
	for ; len(w.objects) > n; w.objects = w.objects[:len(w.objects)-1] {
		w.out = append(w.out, '}')
	}
}
