package ingest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// keyPath is the way to a value in a JSON document: the names of keys, and the indexes of elements.
type keyPath []any

// parseKeyPath parses a path as BotHelp's form takes it, of JSON Path only the names of keys and the indexes of
// elements: price, $.offer.price, items[0].id.
func parseKeyPath(text string) (path keyPath, err error) {
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

// in reports whether a decoded document has a value at the path. A null is one.
func (p keyPath) in(document any) bool {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			object, _ := document.(map[string]any)
			value, ok := object[step]
			if !ok {
				return false
			}
			document = value
		case int:
			list, _ := document.([]any)
			if step >= len(list) {
				return false
			}
			document = list[step]
		}
	}
	return true
}

// missingKeys returns the paths that a JSON text does not have: all of them if the text is not JSON.
func missingKeys(expected []string, text []byte) (missing []string) {
	var document any
	_ = json.Unmarshal(text, &document) // no document has no key
	for _, name := range expected {
		if path, err := parseKeyPath(name); err != nil || !path.in(document) {
			missing = append(missing, name)
		}
	}
	return missing
}
