package ingest

import (
	"encoding/json"

	"hooktape/internal/bothelp"
)

// missingKeys returns the paths that a JSON text does not have: all of them if the text is not JSON.
func missingKeys(expected []string, text []byte) (missing []string) {
	var document any
	_ = json.Unmarshal(text, &document) // no document has no key
	for _, name := range expected {
		path, err := bothelp.ParseKeyPath(name)
		if _, ok := path.Value(document); err != nil || !ok {
			missing = append(missing, name)
		}
	}
	return missing
}
