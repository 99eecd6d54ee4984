package chhttp

import "strings"

// statement is what the text of a query tells about how to run it.
type statement struct {
	// kind is the first word, in capitals.
	kind string
	// format is the name in the FORMAT clause; its case is the engine's.
	format string
	// For an INSERT that brings data: where the clause that names its format starts, and where the data does.
	formatAt, dataAt int
	hasData          bool
}

// parseStatement reads as much of the text as it needs: of an INSERT, all before its data.
func parseStatement(sql []byte) (*statement, error) {
	l := &lexer{sql: sql}
	t := l.next()
	for t.text == "(" {
		t = l.next()
	}
	s := &statement{kind: strings.ToUpper(t.text)}
	return s, s.parseClauses(l, t)
}

func (s *statement) parseClauses(l *lexer, previous token) error {
	mayBringData := s.kind == "INSERT"
	var beforePrevious token
	for t := l.next(); t.text != ""; beforePrevious, previous, t = previous, t, l.next() {
		switch word := strings.ToUpper(t.text); {
		case word == "OUTFILE" && strings.EqualFold(previous.text, "INTO"):
			return codeIntoOutfile.errorf("INTO OUTFILE is not allowed.")
		case word == "INFILE" && strings.EqualFold(previous.text, "FROM"):
			return codeUnknownTypeOfQuery.errorf("Query has infile and was send directly to server.")
		case callsFile(beforePrevious, previous, t):
			return codeAccessDenied.errorf("Function file is not allowed.")
		case t.depth > 0:
		case word == ";":
			if l.next().text != "" {
				return codeSyntaxError.errorf("Syntax error (Multi-statements are not allowed).")
			}
			return nil
		case mayBringData && (word == "SELECT" || word == "WITH"):
			mayBringData = false
		case mayBringData && word == "VALUES" && !strings.EqualFold(previous.text, "INTO"):
			// What follows is written as SQL is, so the search for a second statement goes on in it.
			s.hasData, s.format, s.formatAt, s.dataAt = true, "Values", t.start, t.end
			mayBringData = false
		case word == "FORMAT" && !s.hasData && !strings.EqualFold(previous.text, "INTO"):
			name := l.next()
			if mayBringData && isWord(name) {
				s.hasData, s.format, s.formatAt = true, name.text, t.start
				s.dataAt = behindLine(l.sql, name.end)
				return nil
			}
			if isWord(name) && endsOutput(*l) {
				s.format = name.text
			}
			t = name
		}
	}
	return nil
}

// callsFile finds the function that reads any file of the user's, which no grant can take away in the library: file(…) and
// APPLY(file).
func callsFile(beforePrevious, previous, t token) bool {
	name := func(t token) bool { return strings.EqualFold(strings.Trim(t.text, "`\""), "file") }
	apply := func(t token) bool { return strings.EqualFold(t.text, "APPLY") }
	return t.text == "(" && name(previous) || name(t) && (apply(previous) || previous.text == "(" && apply(beforePrevious))
}

func isWord(t token) bool { return t.text != "" && wordByte(t.text[0]) }

// endsOutput tells a FORMAT clause from a column of that name: after the clause only SETTINGS may follow.
func endsOutput(l lexer) bool {
	t := l.next()
	return t.text == "" || t.text == ";" || strings.EqualFold(t.text, "SETTINGS")
}

// behindLine skips blanks and one line break: what comes then is data, whatever it looks like.
func behindLine(sql []byte, pos int) int {
	for pos < len(sql) && (sql[pos] == ' ' || sql[pos] == '\t' || sql[pos] == '\f') {
		pos++
	}
	if pos < len(sql) && sql[pos] == '\r' {
		pos++
	}
	if pos < len(sql) && sql[pos] == '\n' {
		pos++
	}
	return pos
}

// reads tells statements that change nothing: they are cancelled when the client goes away, while a change is carried out.
func (s *statement) reads() bool {
	switch s.kind {
	case "SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK":
		return true
	}
	return false
}

// streams tells statements whose result the engine can hand over in pieces.
func (s *statement) streams() bool { return s.kind == "SELECT" || s.kind == "WITH" }
