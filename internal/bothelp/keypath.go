package bothelp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// KeyPath is the way to a value in a JSON document: the names of keys, and the indexes of elements.
type KeyPath []any

// ParseKeyPath parses a path as the form of an External Request takes it. Of JSON Path it knows the names of keys and
// the indexes of elements: price, $.offer.price, items[0].id.
func ParseKeyPath(text string) (path KeyPath, err error) {
	invalid := fmt.Errorf("%q is no path of keys such as price, offer.price or items[0].id", text)
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "$"), ".")
	for part := range strings.SplitSeq(rest, ".") {
		name, indexes, indexed := strings.Cut(part, "[")
		if name != "" {
			path = append(path, name)
		}
		if !indexed {
			if name == "" {
				return nil, invalid
			}
			continue
		}
		closed := strings.TrimSuffix(indexes, "]")
		if closed == indexes {
			return nil, invalid
		}
		for number := range strings.SplitSeq(closed, "][") {
			index, err := strconv.ParseUint(number, 10, 31)
			if err != nil {
				return nil, invalid
			}
			path = append(path, int(index))
		}
	}
	return path, nil
}

// In returns the JSON value at the path of a JSON text, and whether it is there. A null is a value. Of several members
// with one name the last counts. A text that is not JSON as a whole has no values.
//
// It reads the text without decoding it: an answer may be large, and in memory a small value takes a hundred times its
// size.
func (p KeyPath) In(text []byte) (value jsontext.Value, ok bool) {
	if value = text; !value.IsValid(lenient...) {
		return nil, false
	}
	for _, step := range p {
		switch step := step.(type) {
		case string:
			value = member(value, step)
		case int:
			value = element(value, step)
		}
	}
	return value, value != nil
}

// MissingKeys returns the paths that a JSON text does not have.
func MissingKeys(paths []string, text []byte) (missing []string) {
	for _, path := range paths {
		parsed, err := ParseKeyPath(path)
		if _, ok := parsed.In(text); err != nil || !ok {
			missing = append(missing, path)
		}
	}
	return missing
}

// lenient accepts what encoding/json accepts.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// member returns the value of a valid object's last member with a name; nil if there is none.
func member(object jsontext.Value, name string) (found jsontext.Value) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lenient...)
	if dec.PeekKind() != '{' {
		return nil
	}
	_, _ = dec.ReadToken()
	for dec.PeekKind() != '}' {
		key, err := dec.ReadValue()
		if err != nil {
			return nil // never: it is valid
		}
		same := isNamed(key, name)
		if value, err := dec.ReadValue(); err == nil && same {
			end := dec.InputOffset()
			found = object[end-int64(len(value)) : end]
		}
	}
	return found
}

// isNamed reports whether a JSON string is a name.
func isNamed(quoted jsontext.Value, name string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // invalid UTF-8 is replaced
	return string(text) == name
}

// element returns the index-th element of a valid array; nil if there is none.
func element(array jsontext.Value, index int) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewBuffer(array), lenient...)
	if dec.PeekKind() != '[' {
		return nil
	}
	_, _ = dec.ReadToken()
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil || index == 0 {
			return value
		}
		index--
	}
	return nil
}
