package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"
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

// understand returns an expression as ClickHouse's own parser has understood it: without comments, with one way of writing
// strings and names. It must be one expression that stays within the parentheses it is put into. So it is parsed twice: alone,
// where a bracket, quote or comment that it opens and does not close is an error, and so is one that it closes and has not
// opened; and within parentheses, where a clause such as LIMIT or a second expression behind a semicolon is one.
//
// SETTINGS are refused, because in a subquery they would lift the limits and the read-only mode under which expressions run,
// and so are parameters, which are the query's own.
func (s *Store) understand(ctx context.Context, text string) (string, error) {
	if _, err := s.format(ctx, "SELECT\n", text, ""); err != nil {
		return "", err
	}
	const before = "SELECT 1 WHERE ("
	formatted, err := s.format(ctx, before+"\n", text, "\n)")
	if err != nil {
		return "", err
	}
	expression, ok := strings.CutPrefix(formatted, "SELECT 1 WHERE ")
	if !ok {
		return "", &ExpressionError{Text: "this is no expression"}
	}
	if word := notAllowed.FindString(quoted.ReplaceAllString(expression, "''")); word != "" {
		return "", &ExpressionError{Text: word + " is not allowed here", Position: only(text, word)}
	}
	return expression, nil
}

var (
	// quoted is a string or name in a formatted text, in which a backslash escapes.
	quoted     = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.)*'|\x60(?:[^\x60\\]|\\.)*\x60`)
	notAllowed = regexp.MustCompile(`\bSETTINGS\b|\{`)
)

// format has the server parse a statement in which the expression stands between two texts, and returns it as the server
// writes it. A position in its error becomes one in the expression.
func (s *Store) format(ctx context.Context, before, expression, after string) (formatted string, err error) {
	where := &conditions{expression: expression}
	sql := "SELECT formatQuerySingleLine(" + where.bind("String", before+expression+after) + ")"
	err = s.asking(where).QueryRow(ctx, sql, where.args...).Scan(&formatted)
	if exception, ok := errors.AsType[*clickhouse.Exception](err); ok && expressionAtFault(exception.Code) {
		text, _, _ := strings.Cut(strings.TrimPrefix(exception.Message, "DB::Exception: "), ": In scope SELECT formatQuery")
		return "", located(text, len(before), expression)
	}
	return formatted, explain("check the expression", err)
}

var syntaxPosition = regexp.MustCompile(`at position (\d+)`)

// located is a message of the parser; a position in it, which counts from the beginning of a text that has the expression
// from an offset on, becomes one in the expression, and what it repeats of the text behind the expression is cut.
func located(message string, offset int, expression string) *ExpressionError {
	e := &ExpressionError{Text: message}
	match := syntaxPosition.FindStringSubmatchIndex(e.Text)
	if match == nil {
		return e
	}
	at, err := strconv.Atoi(e.Text[match[2]:match[3]])
	at -= offset + 1
	if err != nil || at < 0 {
		return e
	}
	at = min(at, len(expression))
	e.Position = position(expression, at)
	tail := ""
	if _, expected, ok := strings.Cut(e.Text, ". Expected one of"); ok {
		tail = " Expected one of" + expected
	}
	e.Text = fmt.Sprintf("%s%d: %q.%s", e.Text[:match[2]], e.Position, head(expression[at:], 60), tail)
	return e
}

// only is the position of a word that stands in the text once; else 0.
func only(text, word string) int {
	places := regexp.MustCompile("(?i)"+regexp.QuoteMeta(word)).FindAllStringIndex(text, 2)
	if len(places) != 1 {
		return 0
	}
	return position(text, places[0][0])
}

// position is the number of the character that begins at a byte; 1 is the first.
func position(text string, at int) int { return utf8.RuneCountInString(text[:at]) + 1 }

// The limits of a query with an expression of the user's in it. Over both protocols they go with the query, and count
// before anything of it is read; readonly = 1 (not 2) also refuses to change settings and most table functions.
var expressionLimits = clickhouse.Settings{
	"readonly":                  1,
	"max_execution_time":        30,      // seconds
	"max_memory_usage":          1 << 30, // bytes
	"max_result_rows":           10_000_000,
	"max_subquery_depth":        20,
	"max_expanded_ast_elements": 10_000,
}

// limited puts a query over selected events under those limits, if the selection has an expression.
func (c *conditions) limited(ctx context.Context) context.Context {
	if c.expression == "" {
		return ctx
	}
	return with(ctx, expressionLimits)
}

// blame turns what ClickHouse says against a query into an *ExpressionError, if the selection has an expression and the
// fault may be its: without it these queries are known to be in order.
func (c *conditions) blame(err error) error {
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	if c.expression == "" || !ok || !expressionAtFault(exception.Code) {
		return err
	}
	return &ExpressionError{Text: strings.TrimPrefix(exception.Message, "DB::Exception: ")}
}

// expressionAtFault leaves out what a server says whatever the query. Its limits of time (159) and memory (241) are those
// that expressions run under.
func expressionAtFault(code int32) bool {
	class := classifyCode(code)
	return code == 159 || code == 241 || class == nil || class == ErrRefused
}
