package bothelp

import (
	"fmt"
	"strconv"
	"strings"
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

// Value returns the value at the path of a document that encoding/json has decoded into an any, and whether it is
// there. A null is a value.
func (p KeyPath) Value(document any) (value any, ok bool) {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			object, _ := document.(map[string]any)
			if document, ok = object[step]; !ok {
				return nil, false
			}
		case int:
			list, _ := document.([]any)
			if step >= len(list) {
				return nil, false
			}
			document = list[step]
		}
	}
	return document, true
}
