package replay

import (
	"log/slog"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil/storetest"
)

// TestOutcomesRepeatedLongAfter verifies that repeated outcomes are stored once, also when ClickHouse has forgotten
// their token.
func TestOutcomesRepeatedLongAfter(t *testing.T) {
	db, err := store.Open(storetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: event.NewID(now)},
		EventReceivedAt: now, State: event.Delivered, Attempts: 2, UpdatedAt: now}
	batch := spool.Batch{First: 1, Last: 2, Appended: now}
	for n := range uint32(2) {
		a := &event.Attempt{ID: d.AttemptID(n + 1), EventID: d.EventID, Endpoint: "crm", Number: n + 1,
			StartedAt: now.Add(time.Duration(n) * time.Second), Outcome: event.OutcomeDelivered}
		data, err := event.Encoding.Marshal(outcome{d, a})
		if err != nil {
			t.Fatal(err)
		}
		batch.Records = append(batch.Records, data)
	}
	out := &sink{store: db, logger: slog.New(slog.DiscardHandler)}
	for range 2 {
		if _, err := out.Store(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if n, err := db.CountRows(t.Context(), "attempts"); err != nil || n != 2 {
			t.Errorf("%d attempts are stored, %v", n, err)
		}
		// a token that ClickHouse does not know, as if it had forgotten it
		batch.First = 11
		batch.Last = 12
		batch.Repeated, batch.Appended = true, now.Add(-time.Hour)
	}
}
