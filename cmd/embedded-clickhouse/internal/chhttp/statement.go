package chhttp

import (
	"bytes"
	"regexp"
	"strings"

	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// statement is one that may run.
type statement struct {
	// text is the statement as the engine's parser returned it; of an INSERT that brings data, what comes before FORMAT.
	text   string
	tokens []token
	// kind is the first words, as kinds has them, and reads reports that such a statement changes nothing.
	kind  string
	reads bool
	// format is the name in the FORMAT clause; its case is the engine's.
	format string
	// hasData reports that this is an INSERT whose data follow.
	hasData bool
}

// at returns a token, or an empty one behind the last.
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
		// Behind the clause only SETTINGS may follow; else FORMAT is a column's name.
		if after := s.at(i + 2); t.depth == 0 && t.is("FORMAT") && s.at(i+1).kind != symbol && (after.text == "" || after.is("SETTINGS")) {
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

// dataMarks are the places behind which an INSERT's data may begin.
var dataMarks = regexp.MustCompile(`(?i)\bVALUES\b|\bFORMAT\s+\w+`)

// maxMarks bounds how many such places are tried.
const maxMarks = 32

// parse reads the statement that the text begins with, and returns where its data are. Whether a place in the text is one
// where an INSERT's data begin is the engine's to say: what comes before it must be a whole INSERT.
func (j *Judge) parse(conn *libchdb.Conn, head []byte) (s *statement, dataAt int, err error) {
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

// mayCompute reports whether the rows behind VALUES may have expressions in them, which the engine computes: they are
// judged as those of a SELECT are. Others are taken as plain values. A second statement behind them is an error.
func (j *Judge) mayCompute(conn *libchdb.Conn, rows []byte) (bool, error) {
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
