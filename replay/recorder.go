package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// Recorder stores what happens to deliveries: on disk immediately, in ClickHouse as soon as that accepts it.
type Recorder struct {
	spool *spool.Spool
	drain *spool.Drain
}

// outcome is one record of the spool: a delivery's new state, and the attempt that led to it, if any.
type outcome struct {
	Delivery event.Delivery `cbor:"1,keyasint"`
	Attempt  *event.Attempt `cbor:"2,keyasint,omitempty"`
}

// NewRecorder returns a recorder on a spool of its own. It stores nothing in ClickHouse until Run.
func NewRecorder(s *spool.Spool, db *store.Store, logger *slog.Logger) *Recorder {
	limits := spool.DefaultLimits()
	limits.Age = 500 * time.Millisecond
	return &Recorder{spool: s, drain: spool.NewDrain(s, &sink{store: db, logger: logger}, limits, logger)}
}

// Run brings outcomes to ClickHouse until ctx ends.
func (r *Recorder) Run(ctx context.Context) error { return r.drain.Run(ctx) }

// Flush returns when everything recorded before is in ClickHouse.
func (r *Recorder) Flush(ctx context.Context) error { return r.drain.Flush(ctx) }

// Failing returns why ClickHouse does not accept outcomes now, or nil.
func (r *Recorder) Failing() error { return r.drain.Failing() }

// record writes a delivery's new state to disk and returns nil when it is there.
func (r *Recorder) record(ctx context.Context, d *event.Delivery, a *event.Attempt) error {
	data, err := event.Encoding.Marshal(outcome{*d, a})
	if err != nil {
		return fmt.Errorf("record delivery of event %s: %w", d.EventID, err)
	}
	return r.spool.Append(ctx, data)
}

// sink brings outcomes to the tables deliveries and attempts.
type sink struct {
	store  *store.Store
	logger *slog.Logger
}

// Store implements spool.Sink. Outcomes need no mark.
func (s *sink) Store(ctx context.Context, batch spool.Batch) (mark uint64, err error) {
	deliveries, attempts, err := decode(batch.Records)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", spool.ErrRefused, err)
	}
	if batch.PossiblyStored(store.TokenLifetime) { // a delivery's row replaces itself; an attempt's does not
		if attempts, err = s.store.MissingAttempts(ctx, attempts); err != nil {
			return 0, err
		}
	}
	record := s.store.RecordOutcomes
	if batch.Repeated {
		record = s.store.RecordOutcomesAgain
	}
	err = record(ctx, batch.Token(), deliveries, attempts)
	if errors.Is(err, store.ErrRefused) {
		err = fmt.Errorf("%w: %w", spool.ErrRefused, err)
	}
	return 0, err
}

// decode returns the last state of each delivery, and all attempts.
func decode(records [][]byte) (deliveries []event.Delivery, attempts []event.Attempt, err error) {
	latest := map[event.DeliveryKey]int{}
	for _, data := range records {
		var o outcome
		if err := event.Decoding.Unmarshal(data, &o); err != nil {
			return nil, nil, err
		}
		if o.Attempt != nil {
			attempts = append(attempts, *o.Attempt)
		}
		if i, seen := latest[o.Delivery.DeliveryKey]; seen {
			deliveries[i] = o.Delivery
			continue
		}
		latest[o.Delivery.DeliveryKey] = len(deliveries)
		deliveries = append(deliveries, o.Delivery)
	}
	return deliveries, attempts, nil
}

// Quarantine keeps a record that ClickHouse refuses in the table quarantine.
func (s *sink) Quarantine(ctx context.Context, batch spool.Batch, refusal error) error {
	s.logger.Error("ClickHouse refuses an outcome; the table quarantine has it, and ClickHouse's words")
	return s.store.InsertQuarantine(ctx, store.Quarantined{
		ReceivedAt: batch.Appended, Source: "(replay)", Error: refusal.Error(), Record: batch.Records[0]})
}
