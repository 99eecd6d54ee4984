package console

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"hooktape/internal/chars"
)

// visible writes text from outside so that all of it is seen and none of it acts: markup is escaped, and characters that
// show nothing, move the cursor of a terminal or turn the direction of writing stand as signs. Tabs and line ends are kept.
func visible(text string) template.HTML {
	var b strings.Builder
	plain := 0 // from here on nothing was written yet
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		sign := signOf(r, size, text[i])
		if sign == "" {
			i += size
			continue
		}
		b.WriteString(template.HTMLEscapeString(text[plain:i]))
		i += size
		plain = i
		b.WriteString(`<i class="sign">` + sign + `</i>`)
	}
	b.WriteString(template.HTMLEscapeString(text[plain:]))
	return template.HTML(b.String())
}

// visibleTitle is the same for where there is no markup: a page's title, on one line.
func visibleTitle(text string) string {
	var b strings.Builder
	head, _ := clip(text, maxCell)
	for i := 0; i < len(head); {
		r, size := utf8.DecodeRuneInString(head[i:])
		if sign := signOf(r, size, head[i]); sign != "" {
			b.WriteString(sign)
		} else {
			b.WriteString(head[i : i+size])
		}
		i += size
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// signOf is what stands for a character that cannot stand for itself; empty for one that can.
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

// maxCell is how many characters of a text stand in a table or a line.
const maxCell = 120

// line is text on one line, cut where it is long.
func line(text string) template.HTML {
	if text == "" {
		return ""
	}
	head, cut := clip(text, maxCell)
	html := template.HTML(strings.NewReplacer("\n", `<i class="sign">␊</i>`, "\t", `<i class="sign">␉</i>`).Replace(string(visible(head))))
	if cut {
		html += "…"
	}
	return `<bdi>` + html + `</bdi>`
}

// clip is the first characters of a text.
func clip(text string, most int) (head string, cut bool) {
	if len(text) <= most {
		return text, false
	}
	for i := range text {
		if most--; most < 0 {
			return text[:i], true
		}
	}
	return text, false
}

// maxBlock is how many bytes of a body are shown unless all are asked for. Browsers take seconds to lay out a megabyte.
const maxBlock = 32 << 10

// block is a long text as a page shows it.
type block struct {
	Text string
	More int    // bytes left out
	All  string // the page that leaves out none; empty when that is not offered
}

// blockOf cuts a text, unless all of it is wanted.
func blockOf(text, all string, wantAll bool) block {
	if wantAll || len(text) <= maxBlock {
		return block{Text: text}
	}
	shown := chars.Cut(text, maxBlock)
	return block{Text: shown, More: len(text) - len(shown), All: all}
}
