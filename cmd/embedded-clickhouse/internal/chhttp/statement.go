package chhttp

import (
	"bytes"
	"regexp"
	"strings"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// statement is a parsed statement.
type statement struct {
	// text is the statement as the engine's parser returned it. For an INSERT with data it ends before FORMAT.
	text   string
	tokens []token
	// kind is the statement's entry in kinds, and reads reports that such a statement changes nothing.
	kind  string
	reads bool
	// format is the name in the FORMAT clause, in the engine's case.
	format string
	// hasData reports that the statement is an INSERT whose data follow.
	hasData bool
}

// at returns token i, or an empty one after the last.
func (s *statement) at(i int) token {
	if i < len(s.tokens) {
		return s.tokens[i]
	}
	return token{kind: symbol}
}

func (s *statement) classify() {
	for _, k := range kinds {
		words := strings.Fields(k.words)
		if s.begins(words) && len(words) > len(strings.Fields(s.kind)) {
			s.kind, s.reads = k.words, k.reads
		}
	}
	if s.kind == "SET" && !s.at(2).is("=") { // SET ROLE and the like
		s.kind = ""
	}
	selects := false
	for i, t := range s.tokens {
		selects = selects || t.depth == 0 && t.is("SELECT")
		// Only SETTINGS may follow the clause; otherwise FORMAT is a column's name.
		if after := s.at(i + 2); t.depth == 0 && t.is("FORMAT") && s.at(i+1).kind != symbol &&
			(after.text == "" || after.is("SETTINGS")) {
			s.format = s.at(i + 1).text
			if s.kind == "INSERT INTO" && !selects {
				s.hasData = true
				s.text = s.text[:t.start]
			}
		}
	}
}

func (s *statement) begins(words []string) bool {
	for i, w := range words {
		if !s.at(i).is(w) {
			return false
		}
	}
	return true
}

// dataMarks match the places after which an INSERT's data may begin.
var dataMarks = regexp.MustCompile(`(?i)\bVALUES\b|\bFORMAT\s+\w+`)

// maxMarks bounds the number of such places that parse tries.
const maxMarks = 32

// parse parses the statement at the start of the text, and returns where its data begin. The engine decides whether an
// INSERT's data begin at a place: the text before it must be a complete INSERT.
func (j *judge) parse(conn *libchdb.Conn, head []byte) (s *statement, dataAt int, err error) {
	for _, mark := range dataMarks.FindAllIndex(head, maxMarks) {
		s, err := j.statement(conn, string(head[:mark[1]]))
		if s != nil && s.hasData {
			return s, behindLine(head, mark[1]), err
		}
	}
	if len(head) == maxStatement {
		return nil, 0, codeQueryTooLarge.errorf("The statement has more than %d bytes.", maxStatement)
	}
	s, err = j.statement(conn, string(head))
	if err == nil && s.hasData {
		return nil, 0, codeSyntaxError.errorf("Write VALUES, or FORMAT and its name, without a comment in between.")
	}
	return s, len(head), err
}

// behindLine skips blanks and one line break. The data follow.
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

// mayCompute reports whether the rows after VALUES may contain expressions, which the engine computes: they are judged
// like those of a SELECT. Other rows are read as plain values. A second statement after them is an error.
func (j *judge) mayCompute(conn *libchdb.Conn, rows []byte) (bool, error) {
	if len(bytes.TrimSpace(rows)) == 0 || bytes.IndexByte(rows, 0) >= 0 {
		return false, nil
	}
	_, err := j.read(conn, "SELECT "+string(rows))
	if err != nil && strings.Contains(err.Error(), "Multi-statements are not allowed") {
		return false, err
	}
	return err == nil, nil
}

// streams reports whether the engine can hand over the result in pieces.
func (s *statement) streams() bool { return s.kind == "SELECT" || s.kind == "WITH" }
