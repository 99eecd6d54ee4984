package chhttp

import "bytes"

// lexer cuts SQL into the tokens that matter for finding clauses: words, and single bytes of punctuation. Strings, quoted
// names and comments are passed over, so that nothing inside them is taken for a clause.
type lexer struct {
	sql []byte
	pos int
	// depth counts open parentheses and brackets.
	depth int
}

// token is a word in its own spelling, one byte of punctuation, or "”" for anything quoted.
type token struct {
	text       string
	start, end int
	depth      int
}

// next returns the next token; its text is empty at the end.
func (l *lexer) next() token {
	l.skipBlank()
	start, depth := l.pos, l.depth
	if start >= len(l.sql) {
		return token{start: start, end: start, depth: depth}
	}
	switch c := l.sql[start]; {
	case wordByte(c):
		for l.pos < len(l.sql) && wordByte(l.sql[l.pos]) {
			l.pos++
		}
	case c == '\'' || c == '"' || c == '`':
		l.skipQuoted(c)
	case c == '$' && l.skipHeredoc(), l.skipTypographic():
	default:
		if c == '(' || c == '[' {
			l.depth++
		} else if c == ')' || c == ']' {
			l.depth--
			depth = l.depth
		}
		l.pos++
	}
	return token{text: string(l.sql[start:l.pos]), start: start, end: l.pos, depth: depth}
}

func (l *lexer) skipBlank() {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch {
		case bytes.IndexByte([]byte(" \t\r\n\f\v\x00"), rest[0]) >= 0:
			l.pos++
		case bytes.HasPrefix(rest, []byte("--")), bytes.HasPrefix(rest, []byte("#!")), bytes.HasPrefix(rest, []byte("# ")):
			l.skipPast("\n")
		case bytes.HasPrefix(rest, []byte("/*")):
			l.pos += 2
			l.skipPast("*/")
		default:
			return
		}
	}
}

// skipPast goes behind the next occurrence of end, or to the end of the text.
func (l *lexer) skipPast(end string) {
	if i := bytes.Index(l.sql[l.pos:], []byte(end)); i >= 0 {
		l.pos += i + len(end)
	} else {
		l.pos = len(l.sql)
	}
}

// skipQuoted passes a string or name; inside it a backslash or a doubled quote stands for a quote.
func (l *lexer) skipQuoted(quote byte) {
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		if l.sql[l.pos] == '\\' {
			l.pos++
		} else if l.sql[l.pos] == quote {
			if l.pos+1 >= len(l.sql) || l.sql[l.pos+1] != quote {
				break
			}
			l.pos++
		}
	}
	l.pos = min(l.pos+1, len(l.sql))
}

// skipHeredoc passes $tag$ … $tag$.
func (l *lexer) skipHeredoc() bool {
	n := 1
	for l.pos+n < len(l.sql) && wordByte(l.sql[l.pos+n]) {
		n++
	}
	if l.pos+n >= len(l.sql) || l.sql[l.pos+n] != '$' {
		return false
	}
	tag := string(l.sql[l.pos : l.pos+n+1])
	if !bytes.Contains(l.sql[l.pos+len(tag):], []byte(tag)) {
		return false
	}
	l.pos += len(tag)
	l.skipPast(tag)
	return true
}

// skipTypographic passes ‘…’ and “…”, which ClickHouse takes for quotes too.
func (l *lexer) skipTypographic() bool {
	for open, end := range map[string]string{"‘": "’", "“": "”"} {
		if bytes.HasPrefix(l.sql[l.pos:], []byte(open)) {
			l.pos += len(open)
			l.skipPast(end)
			return true
		}
	}
	return false
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
