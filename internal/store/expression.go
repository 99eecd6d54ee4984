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

// ExpressionError says what is wrong with the expression of a selection (event.Selection.Where). It is for the
// expression's author.
type ExpressionError struct {
	Text string // ClickHouse's message if there is one
	// Position is the number of the wrong character in the expression, from 1; 0 if it is unknown.
	Position int
}

// Error returns the text with the position.
func (e *ExpressionError) Error() string {
	if e.Position > 0 {
		return fmt.Sprintf("where, character %d: %s", e.Position, e.Text)
	}
	return "where: " + e.Text
}

// understand returns an expression in the form of ClickHouse's own formatter: without comments, with one notation for
// strings and names. The text must be one expression that cannot leave the parentheses around it. It is therefore
// parsed twice. Alone, a bracket, quote or comment that is not closed, or closed and not opened, is an error; in
// parentheses, a clause such as LIMIT or a second expression after a semicolon is one.
// SETTINGS are refused, because in a subquery they would lift the limits and the read-only mode of expressions, and so
// are parameters, which belong to the query.
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
		return "", &ExpressionError{Text: "not an expression"}
	}
	if word := notAllowed.FindString(quoted.ReplaceAllString(expression, "''")); word != "" {
		return "", &ExpressionError{Text: word + " is not allowed here", Position: only(text, word)}
	}
	return expression, nil
}

var (
	// a string or name in a formatted text, in which a backslash escapes
	quoted     = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.)*'|\x60(?:[^\x60\\]|\\.)*\x60`)
	notAllowed = regexp.MustCompile(`\bSETTINGS\b|\{`)
)

// format returns a statement, in which the expression is between two texts, as the server's parser formats it.
// Positions in its error count from the beginning of the expression.
func (s *Store) format(ctx context.Context, before, expression, after string) (formatted string, err error) {
	where := &conditions{expression: expression}
	sql := "SELECT formatQuerySingleLine(" + where.bind("String", before+expression+after) + ")"
	err = s.asking(where).conn.QueryRow(ctx, sql, where.args...).Scan(&formatted)
	if exception, ok := errors.AsType[*clickhouse.Exception](err); ok && expressionAtFault(exception.Code) {
		text, _, _ := strings.Cut(strings.TrimPrefix(exception.Message, "DB::Exception: "),
			": In scope SELECT formatQuery")
		return "", located(text, len(before), expression)
	}
	return formatted, explain("check the expression", err)
}

var syntaxPosition = regexp.MustCompile(`at position (\d+)`)

// located returns a message of the parser with its position, which counts from the beginning of the parsed text,
// relative to the expression at offset. It removes the quoted text after the expression.
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

// only returns the position of a word that occurs once in the text; else 0.
func only(text, word string) int {
	places := regexp.MustCompile("(?i)"+regexp.QuoteMeta(word)).FindAllStringIndex(text, 2)
	if len(places) != 1 {
		return 0
	}
	return position(text, places[0][0])
}

// position returns the number of the character at a byte, from 1.
func position(text string, at int) int { return utf8.RuneCountInString(text[:at]) + 1 }

// expressionLimits apply to queries with an expression of a person. Over both protocols they are sent with the query
// and apply before the server reads any of it. readonly = 1, unlike 2, also forbids changes of settings and most table
// functions.
var expressionLimits = clickhouse.Settings{
	"readonly":                  1,
	"max_execution_time":        30,      // seconds
	"max_memory_usage":          1 << 30, // bytes
	"max_result_rows":           10_000_000,
	"max_subquery_depth":        20,
	"max_expanded_ast_elements": 10_000,
}

// limited adds the limits to a query over selected events if the selection has an expression.
func (c *conditions) limited(ctx context.Context) context.Context {
	if c.expression == "" {
		return ctx
	}
	return with(ctx, expressionLimits)
}

// blame turns ClickHouse's error into an *ExpressionError if the selection has an expression and the error may be its
// fault: without one these queries are valid.
func (c *conditions) blame(err error) error {
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	if c.expression == "" || !ok || !expressionAtFault(exception.Code) {
		return err
	}
	return &ExpressionError{Text: strings.TrimPrefix(exception.Message, "DB::Exception: ")}
}

// expressionAtFault excludes errors that do not depend on the query. The limits of time (159) and memory (241) are
// those of expressions.
func expressionAtFault(code int32) bool {
	class := classifyCode(code)
	return code == 159 || code == 241 || class == nil || class == ErrRefused
}
