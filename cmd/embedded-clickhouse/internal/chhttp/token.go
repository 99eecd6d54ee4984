package chhttp

import (
	"strings"

	"hooktape/internal/chars"
)

// kind is the kind of a token.
type kind int

const (
	word   kind = iota // a keyword, name or number
	name               // a name between backticks
	text               // a string
	symbol             // one byte of punctuation, or a whole {name:Type}
)

// token is one token of a text that the engine has formatted.
type token struct {
	kind       kind
	text       string // as written; a name between backticks without them
	start, end int
	// depth counts the open parentheses and brackets around the token; that of a bracket is the depth outside it.
	depth int
	// called reports that an opening parenthesis follows directly, as after a function's name.
	called bool
}

func (t token) is(words ...string) bool {
	if t.kind != word && t.kind != symbol {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

// tokenize splits a text that the engine has formatted into tokens. Such a text has no comments, one form of string and
// one form of quoted name, keywords in capitals, and no blank between a function and its parenthesis. Everything else
// is an error, so that the new syntax of a later engine is refused and not misread.
func tokenize(sql string) ([]token, error) {
	var tokens []token
	depth := 0
	for pos := 0; pos < len(sql); {
		t := token{kind: symbol, start: pos, end: pos + 1, depth: depth}
		switch c := sql[pos]; {
		case c == ' ' || c == '\n':
			pos++
			continue
		case wordByte(c):
			t.kind, t.end = word, endOf(sql, pos, wordByte)
		case c == '\'', c == '`':
			t.end = behindQuoted(sql, pos)
			t.kind = map[byte]kind{'\'': text, '`': name}[c]
		case c == '{':
			if end := strings.IndexByte(sql[pos:], '}'); end >= 0 {
				t.end = pos + end + 1
			} else {
				t.end = -1
			}
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
			t.depth = depth
		case strings.IndexByte("+-*/%=!<>?:|.,", c) < 0, strings.HasPrefix(sql[pos:], "--"),
			strings.HasPrefix(sql[pos:], "/*"):
			t.end = -1
		}
		if t.end < 0 || depth < 0 {
			return nil, codeSyntaxError.errorf("The engine does not take this statement, because of %q in it.",
				beginning(sql[pos:]))
		}
		t.text = sql[pos:t.end]
		if t.kind == name {
			t.text = t.text[1 : len(t.text)-1]
		}
		pos = t.end
		t.called = pos < len(sql) && sql[pos] == '(' && (t.kind == word || t.kind == name)
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// behindQuoted returns the position behind a string or name that begins at pos, or -1 if it does not end. A backslash
// escapes the next byte.
func behindQuoted(sql string, pos int) int {
	for end := pos + 1; end < len(sql); end++ {
		switch sql[end] {
		case '\\':
			end++
		case sql[pos]:
			return end + 1
		}
	}
	return -1
}

func endOf(sql string, pos int, is func(byte) bool) int {
	for pos < len(sql) && is(sql[pos]) {
		pos++
	}
	return pos
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// beginning returns the first 20 bytes or so of a statement.
func beginning(statement string) string {
	if start := chars.Cut(statement, 20); len(start) < len(statement) {
		return start + "…"
	}
	return statement
}
