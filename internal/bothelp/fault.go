package bothelp

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hooktape/internal/chars"
)

// faults collects what could not be read: the first key, and what is wrong with the body as a whole. Neither ever
// contains a value.
type faults struct{ key, body string }

// ofKey notes a problem with the value of a key.
func (f *faults) ofKey(name []byte, problem string) {
	if f.key == "" {
		f.key = label(name) + ": " + problem
	}
}

// ofBody notes a problem with the body as a whole.
func (f *faults) ofBody(problem string) {
	if f.body == "" {
		f.body = "body: " + problem
	}
}

// String is DecodeError.
func (f *faults) String() string {
	if f.key != "" && f.body != "" {
		return f.key + "; " + f.body
	}
	return f.key + f.body
}

// label is a key's name for an error: as it is, or quoted and shortened where it is long or not printable.
func label(name []byte) string {
	text := string(name)
	short := chars.Cut(name, maxLabel)
	printable := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	switch {
	case len(short) < len(name):
		return strconv.Quote(string(short)) + "…"
	case printable && text != "":
		return text
	}
	return strconv.Quote(text)
}
