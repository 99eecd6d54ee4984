package bothelp

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"hooktape/internal/event"
)

// plain returns the decompressed body. It supports gzip: a body with another Content-Encoding, or with several, is
// returned unchanged, and so is an uncompressed one, whatever the header says. Of damaged gzip it returns the text
// before the damage. It decompresses at most most bytes.
func (d *decoding) plain(req *event.Received, most int) []byte {
	coding := strings.ToLower(header(req, "Content-Encoding"))
	switch {
	case coding == "" || coding == "identity" || len(req.Body) == 0:
		return req.Body
	case coding != "gzip" && coding != "x-gzip":
		d.faults.ofBody("unsupported Content-Encoding " + label([]byte(coding)) + ": only gzip is decoded")
		return req.Body
	}
	r, err := gzip.NewReader(bytes.NewReader(req.Body))
	if err != nil {
		d.faults.ofBody("not " + coding + ", as its Content-Encoding says")
		return req.Body
	}
	limit := min(most, minPlain+maxRatio*len(req.Body))
	var text bytes.Buffer
	n, err := text.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case n > int64(limit):
		d.faults.ofBody("longer than " + strconv.Itoa(limit) + " bytes when decompressed")
		text.Truncate(limit)
	case err != nil:
		d.faults.ofBody("its " + coding + " is damaged after " + strconv.FormatInt(n, 10) + " bytes of text")
	}
	return text.Bytes()
}

// header returns the value of a request header, or all values of a repeated one as a list.
func header(req *event.Received, name string) string {
	value := ""
	for _, h := range req.Headers {
		switch {
		case !strings.EqualFold(h.Name, name):
		case value == "":
			value = strings.TrimSpace(h.Value)
		default:
			value += ", " + strings.TrimSpace(h.Value)
		}
	}
	return value
}

// isWindows1251 reports whether text is in windows-1251, the Cyrillic code page of old senders. Valid UTF-8 is not,
// whatever the header says. Otherwise text is if the Content-Type says so. If the Content-Type names no other encoding,
// text also is if most of its bytes beyond ASCII are invalid UTF-8 and three in a row are Cyrillic letters.
func isWindows1251(req *event.Received, text []byte) bool {
	if utf8.Valid(text) {
		return false
	}
	_, parameters, _ := mime.ParseMediaType(header(req, "Content-Type")) // an invalid one has no charset
	switch strings.ToLower(parameters["charset"]) {
	case "windows-1251", "cp1251", "x-cp1251":
		return true
	case "", "utf-8", "utf8", "us-ascii", "iso-8859-1": // often a default of the sender's library
	default:
		return false
	}
	characters, others, row, longest := 0, 0, 0, 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			others++
		case size > 1:
			characters++
		}
		if first := text[0]; first >= 0xc0 || first == 0xa8 || first == 0xb8 { // А to я, Ё, ё
			row++
		} else {
			row = 0
		}
		longest = max(longest, row)
		text = text[size:]
	}
	return others > 2*characters && longest >= 3
}

// fromWindows1251 returns text in UTF-8.
func fromWindows1251(text []byte) []byte {
	plain, err := charmap.Windows1251.NewDecoder().Bytes(text)
	if err != nil { // never: each byte is a character or becomes U+FFFD
		return text
	}
	return plain
}
