package console

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// body is the bytes of a request as a page shows them.
type body struct {
	Bytes  int
	Pretty *block // nil when they are no JSON
	Raw    block  // as they came; a hexadecimal dump when they are no UTF-8
	Hex    bool
}

func bodyOf(raw []byte, all string, wantAll bool) body {
	b := body{Bytes: len(raw)}
	if pretty, ok := prettyJSON(raw); ok {
		shown := blockOf(pretty, all, wantAll)
		b.Pretty = &shown
	}
	if utf8.Valid(raw) {
		b.Raw = blockOf(string(raw), all, wantAll)
		return b
	}
	b.Hex = true
	head := raw
	if !wantAll {
		head = raw[:min(len(raw), maxBlock/8)]
	}
	b.Raw = block{Text: hex.Dump(head), More: len(raw) - len(head), All: all}
	return b
}

// prettyJSON writes JSON in lines, so that a person can read it: with letters in place of their escapes, and each number
// as its sender spelt it, for a number that went through a float is another one. (A token keeps its spelling.)
func prettyJSON(raw []byte) (string, bool) {
	var out bytes.Buffer
	encoder := jsontext.NewEncoder(&out, jsontext.WithIndent("  "), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(false))
	decoder := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for depth, any := 0, false; depth > 0 || !any; any = true {
		token, err := decoder.ReadToken()
		if err != nil {
			return "", false
		}
		switch token.Kind() {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if encoder.WriteToken(token) != nil {
			return "", false
		}
	}
	if decoder.PeekKind() != 0 { // there is more than one value
		return "", false
	}
	return string(bytes.TrimRight(out.Bytes(), "\n")), true
}
