package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Projections are the parts of the table events in other orders, which queries read in its place by themselves.
var Projections = []string{"visits", "newcomers"}

// Rebuild makes a projection anew from the table and returns when it is done, which may take minutes. Queries go on
// meanwhile, from the table where the projection is not there yet, and so do inserts.
func (s *Store) Rebuild(ctx context.Context, projection string) error {
	if !slices.Contains(Projections, projection) {
		return fmt.Errorf("there is no projection %q; there is: %s", projection, strings.Join(Projections, ", "))
	}
	ctx = with(ctx, clickhouse.Settings{"mutations_sync": 2, "distributed_ddl_task_timeout": int(patience.Seconds())})
	for _, step := range []string{"CLEAR", "MATERIALIZE"} {
		if err := s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("events")+" "+step+" PROJECTION "+projection); err != nil {
			return explain("rebuild "+projection, err)
		}
	}
	return nil
}
