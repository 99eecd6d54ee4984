package server

import (
	"testing"

	"hooktape/internal/config"
)

// TestDescriptorBudget verifies that the shares never exceed the limit and that none is zero.
func TestDescriptorBudget(t *testing.T) {
	for _, limit := range []int{minDescriptors, 400, 1024, 4096, 65536, 1 << 20} {
		d := divide(limit)
		all := ownDescriptors + clickhouseDescriptors + len(config.SpoolNames)*(d.Tables+spoolDescriptors) + d.Ingest + d.Forwards + d.API + d.Deliveries
		if all > limit || d.Tables < minTables || d.Ingest < 4 || d.Forwards < 1 || d.API < 2 || d.Deliveries < 2 {
			t.Errorf("limit %d: %+v, sum %d", limit, d, all)
		}
	}
}
