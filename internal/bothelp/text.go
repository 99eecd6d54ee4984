package bothelp

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// Text returns the beginning of a request's body as readable text: at most 64 KiB of valid UTF-8, decompressed if it is
// gzip, and converted if it is windows-1251 or has UTF-16's byte order mark. It returns "" if none of this changes the
// body. JSON and forms keep their escapes, except that those of windows-1251 in a form become text.
func Text(req *event.Received) string {
	d := decodings.Get().(*decoding)
	defer d.release()
	text := d.plain(req, maxReadable+1) // the byte more shows Cut whether a character ends there
	text = toUTF8(req, chars.Cut(text, maxReadable))
	if bytes.HasPrefix(req.Body, text) {
		return ""
	}
	return chars.Cut(strings.ToValidUTF8(string(text), "\uFFFD"), maxReadable)
}

// escapedByte matches a byte beyond ASCII in a form.
var escapedByte = regexp.MustCompile(`%[89A-Fa-f][0-9A-Fa-f]`)

// toUTF8 converts text to UTF-8 if its encoding is known, and returns it unchanged otherwise.
func toUTF8(req *event.Received, text []byte) []byte {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		plain, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(text)
		if err != nil { // never: the mark is there, and wrong code units become U+FFFD
			return text
		}
		return plain
	}
	if !beginsAsJSON(text) {
		unescaped := escapedByte.ReplaceAllFunc(text, func(escape []byte) []byte {
			b, _ := strconv.ParseUint(string(escape[1:]), 16, 8)
			return []byte{byte(b)}
		})
		if isWindows1251(req, unescaped) {
			return fromWindows1251(unescaped)
		}
	}
	if isWindows1251(req, text) {
		return fromWindows1251(text)
	}
	return text
}
