package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// Suggestions come from the newest accepted events only, so that the query takes as long with any history.
const (
	frequentEvents = 200_000
	frequentValues = 50
)

// FrequentValues returns frequent values of filters that compare one column, by the names of the filters, the most
// frequent first and without the empty one.
func (s *Store) FrequentValues(ctx context.Context, filters []string) (map[string][]string, error) {
	columns, values := make([]string, len(filters)), make([]string, len(filters))
	for i, name := range filters {
		f, ok := event.FilterNamed(name)
		if !ok || f.Column == "" {
			return nil, fmt.Errorf("the filter %s has no column", name)
		}
		columns[i] = f.Column
		values[i] = fmt.Sprintf("arrayFilter(v -> v != '', CAST(topK(%d)(%s), 'Array(String)'))", frequentValues,
			f.Column)
	}
	sql := fmt.Sprintf("SELECT %s FROM (SELECT %s FROM events WHERE verdict = 'accepted' ORDER BY received_at DESC "+
		"LIMIT %d)",
		strings.Join(values, ", "), strings.Join(columns, ", "), frequentEvents)
	lists, err := collect(ctx, s.conn, "find frequent values", sql, nil,
		func(rows driver.Rows, lists *[][]string) error {
			*lists = make([][]string, len(filters))
			into := make([]any, len(filters))
			for i := range *lists {
				into[i] = &(*lists)[i]
			}
			return rows.Scan(into...)
		})
	found := map[string][]string{}
	for _, list := range lists {
		for i, name := range filters {
			found[name] = list[i]
		}
	}
	return found, err
}
