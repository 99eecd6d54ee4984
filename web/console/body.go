package console

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// body is the body of a request as a page shows it.
type body struct {
	Bytes  int
	Pretty *block // indented JSON; nil if the body is not JSON
	Raw    block  // the exact text; a hexadecimal dump if it is not UTF-8
	Hex    bool
}

// bodyOf cuts long parts, unless whole is set. The address all is a page with the whole body.
func bodyOf(raw []byte, all string, whole bool) body {
	b := body{Bytes: len(raw)}
	shown := func(text string) block {
		if whole {
			return block{Text: text}
		}
		cut := blockOf(text)
		cut.All = all
		return cut
	}
	if pretty, ok := prettyJSON(raw); ok {
		b.Pretty = new(shown(pretty))
	}
	if utf8.Valid(raw) {
		b.Raw = shown(string(raw))
		return b
	}
	b.Hex = true
	head := raw
	if !whole {
		head = raw[:min(len(raw), maxBlock/8)]
	}
	b.Raw = block{Text: hex.Dump(head), Omitted: len(raw) - len(head), All: all}
	return b
}

// prettyJSON indents JSON and replaces escapes by letters. Numbers keep their spelling, because a float would change
// some.
func prettyJSON(raw []byte) (string, bool) {
	value := jsontext.Value(bytes.Clone(raw))
	err := value.Format(jsontext.WithIndent("  "), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return string(value), err == nil
}
