package console

import (
	"fmt"
	"html/template"
	"iter"
	"strings"
	"unicode/utf8"

	"hooktape/internal/chars"
)

const (
	maxCell  = 120      // characters of a text in a table or a line
	maxBlock = 32 << 10 // bytes of a body, because browsers take seconds to lay out a megabyte
)

// pieces splits a text from outside. A piece is plain text, or a sign for a character that is invisible, moves the
// cursor of a terminal or changes the direction of writing. Tabs and line ends are plain text.
func pieces(text string) iter.Seq2[string, bool] {
	return func(yield func(piece string, sign bool) bool) {
		plain := 0 // where the plain text before i begins
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRuneInString(text[i:])
			sign := signOf(r, size, text[i])
			if sign == "" {
				i += size
				continue
			}
			if plain < i && !yield(text[plain:i], false) || !yield(sign, true) {
				return
			}
			i += size
			plain = i
		}
		if plain < len(text) {
			yield(text[plain:], false)
		}
	}
}

// signOf returns the sign for a character, or "".
func signOf(r rune, size int, first byte) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return fmt.Sprintf(`\x%02X`, first)
	case r == '\n' || r == '\t':
		return ""
	case r < 0x20:
		return string('\u2400' + r)
	case r == 0x7f:
		return "\u2421"
	case chars.Hidden(r):
		return fmt.Sprintf("U+%04X", r)
	}
	return ""
}

// visible returns a text as HTML in which all of it is visible and none of it acts: markup is escaped, and signs
// replace the characters that [pieces] names.
func visible(text string) template.HTML {
	var b strings.Builder
	for piece, sign := range pieces(text) {
		if sign {
			b.WriteString(`<i class="sign">` + piece + `</i>`)
		} else {
			b.WriteString(template.HTMLEscapeString(piece))
		}
	}
	return template.HTML(b.String())
}

// visibleTitle is visible without markup, for the title of a page: one line, cut to maxCell.
func visibleTitle(text string) string {
	var b strings.Builder
	head, _ := clip(text)
	for piece := range pieces(head) {
		b.WriteString(piece)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// line returns a text as HTML on one line, cut to maxCell.
func line(text string) template.HTML {
	if text == "" {
		return ""
	}
	head, cut := clip(text)
	html := strings.NewReplacer("\n", `<i class="sign">␊</i>`, "\t",
		`<i class="sign">␉</i>`).Replace(string(visible(head)))
	if cut {
		html += "…"
	}
	return template.HTML("<bdi>" + html + "</bdi>")
}

// clip returns the first maxCell characters of a text.
func clip(text string) (head string, cut bool) {
	if len(text) <= maxCell {
		return text, false
	}
	n := 0
	for i := range text {
		if n++; n > maxCell {
			return text[:i], true
		}
	}
	return text, false
}

// block is a long text as a page shows it.
type block struct {
	Text    string
	Omitted int    // bytes
	All     string // the address of the page with the whole text; empty for none
}

// blockOf cuts a text to maxBlock.
func blockOf(text string) block {
	head := text
	if len(text) > maxBlock {
		head = chars.Cut(text, maxBlock)
	}
	return block{Text: head, Omitted: len(text) - len(head)}
}

// cell cuts a value in a table to maxCell.
func cell(text string) block {
	head, _ := clip(text)
	return block{Text: head, Omitted: len(text) - len(head)}
}
