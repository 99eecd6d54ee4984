package bothelp

import (
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"hooktape/internal/event"
)

// isWindows1251 reports whether text is in windows-1251, the Cyrillic code page that old senders write. It is when the
// Content-Type says so, or when it can hardly be anything else: most of its bytes beyond ASCII are none, and three of them in a row are
// Cyrillic letters, unless the Content-Type names yet another encoding. What is valid UTF-8 is UTF-8, whatever the header says.
func isWindows1251(req *event.Received, text []byte) bool {
	if utf8.Valid(text) {
		return false
	}
	_, parameters, _ := mime.ParseMediaType(header(req, "Content-Type")) // one that cannot be read says nothing
	switch strings.ToLower(parameters["charset"]) {
	case "windows-1251", "cp1251", "x-cp1251":
		return true
	case "", "utf-8", "utf8", "us-ascii", "iso-8859-1": // often a default that nobody has chosen
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
	if err != nil { // never: each byte is a character, or becomes U+FFFD
		return text
	}
	return plain
}
