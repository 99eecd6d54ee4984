package bothelp

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/chars"
)

// severalValues is the fault of a key with different values. Only the body has the others.
const severalValues = "has several values, the last one counts"

// replacement replaces invalid UTF-8, and NUL, which many clients of the database cannot handle.
const replacement = "\uFFFD"

// set assigns the value of one of BotHelp's keys to its column. Null and the empty string mean absent, and change
// nothing.
func (d *decoding) set(target any, name []byte, value jsontext.Value) {
	kind := value.Kind()
	if kind == '{' || kind == '[' {
		d.faults.ofKey(name, kindName(value)+" where one value was expected")
		d.field(name, value)
		return
	}
	text := d.scalar(value)
	d.noteReplaced(name)
	if len(text) == 0 {
		return
	}
	if len(text) > maxText {
		d.faults.ofKey(name, "longer than "+strconv.Itoa(maxText)+" bytes, cut")
		text = chars.Cut(text, maxText)
	}
	kept := string(text)
	if column, ok := target.(*string); ok && *column != "" && *column != kept {
		d.faults.ofKey(name, severalValues)
	}
	if err := assign(target, kept); err != nil {
		d.faults.ofKey(name, err.Error())
	}
}

// assign parses text as the type of the column.
func assign(target any, text string) error {
	switch column := target.(type) {
	case *string:
		*column = text
	case **uint64:
		n, err := parseCount(text)
		if err != nil {
			return err
		}
		*column = &n
	case **time.Time:
		at, err := parseTime(text)
		if err != nil {
			return err
		}
		if !at.IsZero() {
			*column = &at
		}
	}
	return nil
}

// empty reports whether a column has no value yet.
func empty(target any) bool {
	switch column := target.(type) {
	case *string:
		return *column == ""
	case **uint64:
		return *column == nil
	case **time.Time:
		return *column == nil
	}
	return true
}

// scalar returns a string's content, a number's digits, true or false, or nil for null.
func (d *decoding) scalar(value jsontext.Value) []byte {
	switch value.Kind() {
	case 'n':
		return nil
	case '"':
		return d.unquote(&d.valueBuf, value)
	case '0':
		if bytes.ContainsAny(value, ".eE") {
			return []byte(wholeNumber(string(value)))
		}
	}
	return value
}

// unquote returns the content of a JSON string: a slice of the string if it has no escapes, otherwise decoded into buf.
// It sets d.replaced if it has replaced characters.
func (d *decoding) unquote(buf *[]byte, quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return text // JSON has no bare NUL in a string
	}
	text, err := jsontext.AppendUnquote((*buf)[:0], quoted)
	d.replaced = d.replaced || err != nil // invalid UTF-8, or half of a surrogate pair
	*buf = text
	if bytes.IndexByte(text, 0) >= 0 {
		d.replaced = true
		text = bytes.ReplaceAll(text, []byte{0}, []byte(replacement))
	}
	return text
}

// noteReplaced adds a fault for a key if characters of its name or value were replaced.
func (d *decoding) noteReplaced(name []byte) {
	if d.replaced {
		d.faults.ofKey(name, "NUL, or what is no character, replaced by "+replacement)
		d.replaced = false
	}
}

// field keeps a custom field: a string's content, or any other value as JSON text without needless escapes. Null is
// absent.
func (d *decoding) field(name []byte, value jsontext.Value) {
	var text []byte
	switch value.Kind() {
	case 'n':
		return
	case '"':
		text = d.unquote(&d.valueBuf, value)
	default:
		text = value
		if !utf8.Valid(text) {
			text = bytes.ToValidUTF8(text, []byte(replacement))
			d.replaced = true
		}
		if bytes.IndexByte(text, '\\') >= 0 { // searches expect text without escapes that JSON does not need
			plain, err := jsontext.AppendFormat(nil, text, jsontext.AllowDuplicateNames(true))
			if err != nil { // half of a surrogate pair
				plain, _ = jsontext.AppendFormat(nil, text, jsontext.AllowDuplicateNames(true),
					jsontext.AllowInvalidUTF8(true))
				d.replaced = true
			}
			text = plain
		}
	}
	d.noteReplaced(name)
	// Every write counts, which bounds repeated names too.
	switch size := len(name) + len(text); {
	case d.fieldBytes+size > maxFieldBytes:
		d.faults.ofKey(name, "left out, for fields take more than "+strconv.Itoa(maxFieldBytes)+" bytes")
		return
	case len(d.out.Fields) >= maxFields:
		d.faults.ofKey(name, "left out, for there are more than "+strconv.Itoa(maxFields)+" fields")
		return
	default:
		d.fieldBytes += size
	}
	if d.out.Fields == nil {
		d.out.Fields = make(map[string]string)
	}
	if held, there := d.out.Fields[string(name)]; there && held != string(text) {
		d.faults.ofKey(name, severalValues)
	}
	d.out.Fields[string(name)] = string(text)
}

// kindName returns the kind of a value for an error.
func kindName(value jsontext.Value) string {
	switch value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	}
	return "the literal " + string(value) // null, true, false
}
