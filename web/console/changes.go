package console

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// change is a value that differs between two bodies. Added and Removed mark a value that only one of them has.
type change struct {
	Name           string
	Before, After  string
	Added, Removed bool
}

// maxChanges limits the changes on a page.
const maxChanges = 200

// changesOf compares two JSON objects value by value. ok is false for anything else.
func changesOf(before, after []byte) (list []change, ok bool) {
	old, oldNames, ok := flatten(before)
	if !ok {
		return nil, false
	}
	fresh, names, ok := flatten(after)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		was, there := old[name]
		if !there {
			list = append(list, change{Name: name, After: fresh[name], Added: true})
		} else if was != fresh[name] {
			list = append(list, change{Name: name, Before: was, After: fresh[name]})
		}
	}
	for _, name := range oldNames {
		if _, there := fresh[name]; !there {
			list = append(list, change{Name: name, Before: old[name], Removed: true})
		}
	}
	return list[:min(len(list), maxChanges)], true
}

// flatten returns the values of an object by their paths, such as conversation.subscriber.name, and the paths in order.
// Strings are unquoted; other values keep their spelling.
func flatten(raw []byte) (values map[string]string, names []string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return nil, nil, false
	}
	values = map[string]string{}
	for {
		kind := d.PeekKind()
		switch kind {
		case '{', '[', '}', ']':
			if _, err := d.ReadToken(); err != nil {
				return nil, nil, false
			}
			if d.StackDepth() == 0 {
				return values, names, true
			}
			continue
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, nil, false
		}
		if in, n := d.StackIndex(d.StackDepth()); in == '{' && n%2 == 1 { // a name
			continue
		}
		name := pathOf(d.StackPointer())
		text := string(value)
		if kind == '"' {
			unquoted, _ := jsontext.AppendUnquote(nil, value) // never fails: it was parsed
			text = string(unquoted)
		}
		if _, twice := values[name]; !twice {
			names = append(names, name)
		}
		values[name] = text
	}
}

// pathOf formats a JSON Pointer as a path such as a.b[0].
func pathOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}
