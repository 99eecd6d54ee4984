package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ExpressionError says what is wrong with the expression of a selection (event.Selection.Where). The fault is its
// author's, who should see the text.
type ExpressionError struct {
	Text string // ClickHouse's own words where it has any
	// Position is that of the character at fault in the expression; 1 is the first, and 0 means that nobody knows.
	Position int
}

// Error is the text with the position.
func (e *ExpressionError) Error() string {
	if e.Position > 0 {
		return fmt.Sprintf("where, character %d: %s", e.Position, e.Text)
	}
	return "where: " + e.Text
}

// checkExpression makes sure that text stays within the parentheses that it is put into: it closes every quote, comment
// and bracket that it opens, opens every one that it closes, and ends no statement.
//
// It reads as ClickHouse does (src/Parsers/Lexer.cpp), and refuses what ClickHouse's versions read in different ways or
// what has no place in an expression. SETTINGS is one of these: in a subquery it would lift the limits and the read-only
// mode under which expressions run.
func checkExpression(text string) error {
	c := &checker{text: text}
	for c.pos < len(text) {
		if fault := c.step(); fault != "" {
			return c.fault(fault)
		}
	}
	if len(c.open) > 0 {
		c.start = c.open[len(c.open)-1]
		return c.fault(fmt.Sprintf("this %c is never closed", text[c.start]))
	}
	if !c.any {
		return c.fault("there is no expression")
	}
	return nil
}

// checker is the place in a text up to which it is in order.
type checker struct {
	text       string
	start, pos int   // of the token being read, and behind what was read of it
	open       []int // positions of the brackets not closed yet
	any        bool  // whether there was more than blanks and comments
}

func (c *checker) fault(text string) error {
	return &ExpressionError{Text: text, Position: utf8.RuneCountInString(c.text[:c.start]) + 1}
}

// step reads one token, and returns what is wrong with it.
func (c *checker) step() (fault string) {
	c.start = c.pos
	rest := c.text[c.pos:]
	switch {
	case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
		c.pos++
		return ""
	case hasAnyPrefix(rest, "--", "//", "# ", "#!"):
		c.skipLine()
		return ""
	case strings.HasPrefix(rest, "/*"):
		return c.skipComment()
	}
	c.any = true
	switch first := rest[0]; {
	case wordByte(first):
		return c.word()
	case strings.IndexByte("'\"`", first) >= 0:
		return c.skipQuoted(first)
	case first == '$':
		return c.skipHeredoc()
	case strings.IndexByte("([", first) >= 0:
		c.open = append(c.open, c.pos)
	case strings.IndexByte(")]", first) >= 0:
		return c.close(first)
	case strings.IndexByte("+-*/%=!<>?:|.,", first) < 0:
		r, size := utf8.DecodeRuneInString(rest)
		c.pos += size
		return fmt.Sprintf("%q has no place here outside quotes", r)
	}
	c.pos++
	return ""
}

func (c *checker) close(bracket byte) string {
	if n := len(c.open); n == 0 {
		return fmt.Sprintf("this %c closes nothing", bracket)
	} else if opened := c.text[c.open[n-1]]; (opened == '(') != (bracket == ')') {
		return fmt.Sprintf("this %c does not close the %c before it", bracket, opened)
	}
	c.open = c.open[:len(c.open)-1]
	c.pos++
	return ""
}

func (c *checker) word() string {
	for c.pos < len(c.text) && (wordByte(c.text[c.pos]) || c.text[c.pos] == '$') {
		c.pos++
	}
	word := c.text[c.start:c.pos]
	if strings.Contains(word, "$") {
		return "a name with $ must stand in backticks"
	}
	if strings.EqualFold(word, "SETTINGS") {
		return "SETTINGS are not allowed here"
	}
	return ""
}

func (c *checker) skipLine() {
	if i := strings.IndexByte(c.text[c.pos:], '\n'); i >= 0 {
		c.pos += i
	} else {
		c.pos = len(c.text)
	}
}

// skipComment passes /* … */, which may stand in one another.
func (c *checker) skipComment() string {
	for depth := 0; c.pos < len(c.text); {
		switch rest := c.text[c.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			c.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			c.pos += 2
			if depth == 0 {
				return ""
			}
		default:
			c.pos++
		}
	}
	return "this comment is never closed"
}

// skipQuoted passes a string or name; inside it a backslash or a doubled quote stands for a quote.
func (c *checker) skipQuoted(quote byte) string {
	for c.pos++; c.pos < len(c.text); c.pos++ {
		switch c.text[c.pos] {
		case '\\':
			c.pos++
		case quote:
			c.pos++
			if c.pos == len(c.text) || c.text[c.pos] != quote {
				return ""
			}
		}
	}
	return fmt.Sprintf("this %c is never closed", quote)
}

// skipHeredoc passes $tag$ … $tag$.
func (c *checker) skipHeredoc() string {
	n := 1
	for c.pos+n < len(c.text) && wordByte(c.text[c.pos+n]) {
		n++
	}
	if c.pos+n == len(c.text) || c.text[c.pos+n] != '$' {
		return "this $ begins nothing such as $tag$ … $tag$"
	}
	tag := c.text[c.pos : c.pos+n+1]
	end := strings.Index(c.text[c.pos+len(tag):], tag)
	if end < 0 {
		return "this " + tag + " has no second one"
	}
	c.pos += len(tag) + end + len(tag)
	return ""
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
