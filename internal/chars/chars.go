// Package chars shortens text, and recognises invisible characters.
package chars

import (
	"unicode"
	"unicode/utf8"
)

// Cut returns the longest prefix of s that has at most n bytes and ends with a whole character.
func Cut[T ~string | ~[]byte](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Hidden reports whether a character is invisible, controls a terminal or changes the direction of writing. Line breaks
// and tabs are hidden too; the joiners of emoji and some scripts are not.
func Hidden(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0', r == '\u2800': // letters without a shape
		return true
	case unicode.Is(unicode.Variation_Selector, r):
		return r >= 0xe0100
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
