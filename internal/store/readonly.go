package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
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

// UseReader has ClickHouse run every query with an expression of a selection as this user, who should have no right but to
// read. Without it they run as the DSN's user, under readonly. (A replay's selection is tried as the reader first, and then
// written as the DSN's user, for one statement does that.)
func (s *Store) UseReader(user, password string) error {
	read := func(options clickhouse.Options) (driver.Conn, error) {
		options.Auth.Username, options.Auth.Password = user, password
		return clickhouse.Open(&options)
	}
	conn, err := read(*s.options)
	if err != nil {
		return fmt.Errorf("clickhouse reader: %w", err)
	}
	slow := *s.options
	slow.ReadTimeout = max(slow.ReadTimeout, patience)
	patient, err := read(slow)
	if err != nil {
		return fmt.Errorf("clickhouse reader: %w", err)
	}
	s.reader, s.patientReader = conn, patient
	return nil
}

// asking is the pool for a query over selected events.
func (s *Store) asking(c *conditions) driver.Conn {
	if c.expression != "" && s.reader != nil {
		return s.reader
	}
	return s.conn
}

// askingPatiently is asking for a query that may be silent for minutes.
func (s *Store) askingPatiently(c *conditions) driver.Conn {
	if c.expression != "" && s.patientReader != nil {
		return s.patientReader
	}
	return s.patient
}
