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
func (c *conditions) blame(sql string, err error) error {
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	if c.expression == "" || !ok || !expressionAtFault(exception.Code) {
		return err
	}
	return located(exception.Message, sql, c.expression)
}

// expressionAtFault leaves out what a server says whatever the query. Its limits of time (159) and memory (241) are those
// that expressions run under.
func expressionAtFault(code int32) bool {
	class := classifyCode(code)
	return code == 159 || code == 241 || class == nil || class == ErrRefused
}

var syntaxPosition = regexp.MustCompile(`at position (\d+)`)

// located is ClickHouse's message; a position in it, which counts from the beginning of the query, becomes one in the
// expression, and what it repeats of the query behind the expression is cut.
func located(message, sql, expression string) *ExpressionError {
	e := &ExpressionError{Text: strings.TrimPrefix(message, "DB::Exception: ")}
	begin := strings.Index(sql, "(\n"+expression+"\n)") + 2
	match := syntaxPosition.FindStringSubmatchIndex(e.Text)
	if match == nil || begin < 2 {
		return e
	}
	at, err := strconv.Atoi(e.Text[match[2]:match[3]])
	at -= begin + 1
	if err != nil || at < 0 {
		return e
	}
	at = min(at, len(expression))
	e.Position = utf8.RuneCountInString(expression[:at]) + 1
	tail := ""
	if _, expected, ok := strings.Cut(e.Text, ". Expected one of"); ok {
		tail = " Expected one of" + expected
	}
	e.Text = fmt.Sprintf("%s%d: %q.%s", e.Text[:match[2]], e.Position, head(expression[at:], 60), tail)
	return e
}

// head is the beginning of a text, whole characters of it.
func head(text string, atMost int) string {
	for i := range text {
		if i >= atMost {
			return text[:i] + "…"
		}
	}
	return text
}
