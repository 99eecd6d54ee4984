package main

import "testing"

func TestSafeEscapesControlCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"Анна Петрова": "Анна Петрова",
		"a\x1b[31mb":   `a\x1b[31mb`,
		"a\tb\nc":      `a\tb\nc`,
		"a\u202eb":     `a\u202eb`,
		"a\xffb":       `a\xffb`,
		"\x9bm":        `\x9bm`,
	} {
		if got := safe(in); got != want {
			t.Errorf("safe(%q) = %q, want %q", in, got, want)
		}
	}
	if got := safeText("a\n\tb\x1b"); got != "a\n\tb"+`\x1b` {
		t.Errorf("safeText = %q", got)
	}
}
