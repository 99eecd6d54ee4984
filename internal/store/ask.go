package store

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Answer is the result of a query: the names of its columns, and its rows. A value is nil, a string, a time, or a
// number. A number that is infinite or not a number is nil. A date without a time is a string such as 2026-01-31.
type Answer struct {
	Columns []string
	Rows    [][]any
}

// askSettings are those of a query of the dashboards. Queries that take long are answered from ClickHouse's cache for a
// minute, so sorting a table or loading it as CSV does not compute it again; quick ones are always computed.
var askSettings = clickhouse.Settings{
	"readonly":                                       1,
	"max_execution_time":                             60, // seconds
	"use_query_cache":                                1,
	"query_cache_ttl":                                60,       // seconds
	"query_cache_min_query_duration":                 50,       // milliseconds
	"query_cache_system_table_handling":              "save",   // of time zones
	"query_cache_nondeterministic_function_handling": "ignore", // of the driver's first query on a connection
}

// togetherSettings are those that a query of several panels needs too. ClickHouse before 26 does not know them.
var togetherSettings = clickhouse.Settings{
	"enable_materialized_cte":                1,
	"enable_named_columns_in_function_tuple": 1,
	"date_time_output_format":                "iso", // in JSON
}

// Ask runs a query that only reads, as the user of [Store.UseReader] if there is one. The text must not contain values
// from outside, except in a form that cannot leave their quotes.
func (s *Store) Ask(ctx context.Context, sql string) (Answer, error) {
	return s.ask(ctx, sql, askSettings)
}

// ErrApart reports that the server has refused a query of several panels in the last hour.
var ErrApart = errors.New("ClickHouse does not know or allow queries of several panels")

// AskTogether is Ask for a query of several panels, as dashboards.Together returns it. A server that does not know or
// allow its syntax or settings refuses it; calls in the hour after that return [ErrApart] without asking.
func (s *Store) AskTogether(ctx context.Context, sql string) (Answer, error) {
	if refused := s.apart.Load(); refused != nil && time.Since(*refused) < time.Hour {
		return Answer{}, ErrApart
	}
	settings := maps.Clone(askSettings)
	maps.Copy(settings, togetherSettings)
	answer, err := s.ask(ctx, sql, settings)
	if hasCode(err, codeSyntax, codeUnknownSetting, codeReadonly, codeForbiddenSetting) {
		now := time.Now()
		s.apart.Store(&now)
	}
	return answer, err
}

func (s *Store) ask(ctx context.Context, sql string, settings clickhouse.Settings) (Answer, error) {
	conn := s.conn
	if s.reader != nil {
		conn = s.reader.conn
	}
	const doing = "run a query of the dashboards"
	rows, err := conn.Query(with(ctx, settings), sql)
	if err != nil {
		return Answer{}, explain(doing, err)
	}
	defer rows.Close()
	a := Answer{Columns: rows.Columns()}
	for rows.Next() {
		row, err := scanRow(rows)
		if err != nil {
			return Answer{}, explain(doing, err)
		}
		a.Rows = append(a.Rows, row)
	}
	return a, explain(doing, rows.Err())
}

// scanRow returns the values of a row, whatever types they have.
func scanRow(rows driver.Rows) ([]any, error) {
	types := rows.ColumnTypes()
	values := make([]any, len(types))
	for i, t := range types {
		values[i] = reflect.New(t.ScanType()).Interface()
	}
	if err := rows.Scan(values...); err != nil {
		return nil, err
	}
	for i, t := range types {
		values[i] = plain(reflect.ValueOf(values[i]), t.DatabaseTypeName())
	}
	return values, nil
}

// plain returns the value behind pointers; nil for NULL.
func plain(v reflect.Value, typeName string) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch value := v.Interface().(type) {
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil
		}
	case time.Time:
		if !strings.Contains(typeName, "DateTime") {
			return value.Format(time.DateOnly)
		}
	}
	return v.Interface()
}
