package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"hooktape/event"
)

// quoteName writes a name as ClickHouse reads it between backticks.
func quoteName(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// conditions collects the terms of a WHERE clause and the server-side parameters in them: no value is ever part of the
// SQL text.
type conditions struct {
	terms []string
	args  []any
}

// add appends a term in which {} stands for value, passed to the server as the given ClickHouse type.
func (c *conditions) add(term, clickhouseType string, value any) {
	name := fmt.Sprintf("p%d", len(c.args))
	c.terms = append(c.terms, strings.Replace(term, "{}", "{"+name+":"+clickhouseType+"}", 1))
	c.args = append(c.args, clickhouse.Named(name, value))
}

// String is the conjunction of all terms; true when there are none.
func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return "true"
	}
	return strings.Join(c.terms, "\n  AND ")
}

// micros writes a time for a DateTime64(6,'UTC') parameter: a time.Time would lose its fraction on the way.
func micros(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// matching turns a selection into conditions over the table events.
func matching(sel event.Selection) *conditions {
	c := &conditions{}
	if sel.From != nil {
		c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(*sel.From))
	}
	if sel.To != nil {
		c.add("received_at < {}", "DateTime64(6,'UTC')", micros(*sel.To))
	}
	addIn(c, "source", sel.Sources)
	addIn(c, "step", sel.Steps)
	addIn(c, "kind", sel.Kinds)
	addIn(c, "verdict", sel.Verdicts)
	if len(sel.IDs) > 0 {
		if from, to, ok := event.IDRange(sel.IDs); ok {
			c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(from))
			c.add("received_at <= {}", "DateTime64(6,'UTC')", micros(to))
		}
		c.add("id IN {}", "Array(UUID)", uuidStrings(sel.IDs))
	}
	return c
}

func addIn[T ~string](c *conditions, column string, values []T) {
	if len(values) == 0 {
		return
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	c.add(column+" IN {}", "Array(String)", list)
}

func uuidStrings(ids []uuid.UUID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}
