package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// quoteName quotes a name with backticks, as ClickHouse reads it.
func quoteName(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// conditions collects the terms of a WHERE clause and their server-side parameters: no value but a long list is part of
// the SQL text.
type conditions struct {
	terms []string
	args  []any
	// The selection's own expression, as understand returns it; see events.
	expression string
}

// bind passes value to the server as the given ClickHouse type and returns its placeholder in the text. A long list
// is quoted in the text instead: over HTTP all parameters are a part of the URL, which may have 1 MiB.
func (c *conditions) bind(clickhouseType string, value any) string {
	if list, ok := value.([]string); ok && lengthOf(list) > maxParameterBytes {
		return "CAST([" + quoteTexts(list) + "] AS " + clickhouseType + ")"
	}
	name := fmt.Sprintf("p%d", len(c.args))
	c.args = append(c.args, clickhouse.Named(name, value))
	return "{" + name + ":" + clickhouseType + "}"
}

// maxParameterBytes is the length of a list from which on it is a part of the text.
const maxParameterBytes = 32 << 10

// maxQueryBytes is the length that the server allows a statement, which may name 100,000 events or deliveries. The
// embedded engine allows no more.
const maxQueryBytes = 8 << 20

func lengthOf(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

// quoteTexts quotes a list of texts in the form in which ClickHouse reads it.
func quoteTexts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quoteText(s)
	}
	return strings.Join(quoted, ", ")
}

// add appends a term in which every {} is replaced by the placeholder of value.
func (c *conditions) add(term, clickhouseType string, value any) {
	c.terms = append(c.terms, strings.ReplaceAll(term, "{}", c.bind(clickhouseType, value)))
}

// require appends terms without values, or with placeholders from bind.
func (c *conditions) require(terms ...string) { c.terms = append(c.terms, terms...) }

// String returns the conjunction of all terms; "true" without terms.
func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return "true"
	}
	return strings.Join(c.terms, "\n  AND ")
}

// micros formats a time as ClickHouse reads it: the driver would cut the fraction of a time.Time.
func micros(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// bindTime is bind for a time.
func (c *conditions) bindTime(t time.Time) string { return c.bind("DateTime64(6,'UTC')", micros(t)) }

// addTime is add for a time.
func (c *conditions) addTime(term string, t time.Time) {
	c.require(strings.ReplaceAll(term, "{}", c.bindTime(t)))
}

// addBetween requires that a column is between two times, both included.
func (c *conditions) addBetween(column string, from, to time.Time) {
	c.addTime(column+" >= {}", from)
	c.addTime(column+" <= {}", to)
}

func addIn[T ~string](c *conditions, column string, values []T) {
	if len(values) > 0 {
		c.add(column+" IN {}", "Array(String)", event.Texts(values))
	}
}

func uuidStrings(ids []uuid.UUID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}

// collect runs a query and scans its rows.
func collect[T any](ctx context.Context, conn driver.Conn, doing, sql string, args []any,
	scan func(driver.Rows, *T) error) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, explain(doing, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, explain(doing, err)
		}
		list = append(list, one)
	}
	return list, explain(doing, rows.Err())
}

// with adds settings to the queries made under the context.
func with(ctx context.Context, settings clickhouse.Settings) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings))
}

// epochIfZero replaces Go's zero time, which DateTime64 cannot hold, by the Unix epoch.
func epochIfZero(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// zeroIfEpoch is the inverse of epochIfZero.
func zeroIfEpoch(t time.Time) time.Time {
	if t.Unix() == 0 && t.Nanosecond() == 0 {
		return time.Time{}
	}
	return t
}

// quoteText quotes a text in the form in which ClickHouse shows it.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// head returns at most the first atMost bytes of a text, in whole characters.
func head(text string, atMost int) string {
	for i := range text {
		if i >= atMost {
			return text[:i] + "…"
		}
	}
	return text
}
