package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// Recorder keeps what happened to deliveries: on disk at once, in ClickHouse as soon as it takes it.
type Recorder struct {
	spool *spool.Spool
	drain *spool.Drain
}

// record is one entry of the spool: a delivery's new state and the attempt that led to it, if one did.
type record struct {
	Delivery event.Delivery `cbor:"1,keyasint"`
	Attempt  *event.Attempt `cbor:"2,keyasint,omitempty"`
}

// NewRecorder makes a recorder on a spool of its own. It stores nothing in ClickHouse until Run.
func NewRecorder(s *spool.Spool, db *store.Store, logger *slog.Logger) *Recorder {
	limits := spool.DefaultLimits()
	limits.Age = 500 * time.Millisecond
	return &Recorder{spool: s, drain: spool.NewDrain(s, &sink{store: db, logger: logger}, limits, logger)}
}

// Run brings records to ClickHouse until ctx ends.
func (r *Recorder) Run(ctx context.Context) error { return r.drain.Run(ctx) }

// Flush returns when all that was noted before is in ClickHouse.
func (r *Recorder) Flush(ctx context.Context) error { return r.drain.Flush(ctx) }

// Failing returns why ClickHouse does not take records now.
func (r *Recorder) Failing() error { return r.drain.Failing() }

// note puts a delivery's new state on disk; it returns nil when it is there.
func (r *Recorder) note(ctx context.Context, d *event.Delivery, a *event.Attempt) error {
	data, err := event.Encoding.Marshal(record{*d, a})
	if err != nil {
		return fmt.Errorf("note delivery of event %s: %w", d.EventID, err)
	}
	return r.spool.Append(ctx, data)
}

// sink brings records to the tables deliveries and attempts.
type sink struct {
	store  *store.Store
	logger *slog.Logger
}

// Store implements spool.Sink. Outcomes need no mark.
func (s *sink) Store(ctx context.Context, batch spool.Batch) (mark uint64, err error) {
	return 0, s.record(ctx, batch)
}

func (s *sink) record(ctx context.Context, batch spool.Batch) error {
	latest := map[event.DeliveryKey]int{}
	var deliveries []event.Delivery
	var attempts []event.Attempt
	for _, data := range batch.Records {
		var r record
		if err := event.Decoding.Unmarshal(data, &r); err != nil {
			return fmt.Errorf("%w: %w", spool.ErrRefused, err)
		}
		if r.Attempt != nil {
			attempts = append(attempts, *r.Attempt)
		}
		if i, seen := latest[r.Delivery.DeliveryKey]; seen {
			deliveries[i] = r.Delivery // only the last state of each counts
			continue
		}
		latest[r.Delivery.DeliveryKey] = len(deliveries)
		deliveries = append(deliveries, r.Delivery)
	}
	var err error
	if batch.PossiblyStored(store.TokenLifetime) { // a delivery's row replaces itself; an attempt's does not
		if attempts, err = s.withoutStored(ctx, attempts); err != nil {
			return err
		}
	}
	err = s.store.RecordOutcomes(ctx, batch.Token(), deliveries, attempts)
	if err == nil && batch.Repeated { // ClickHouse may know the token and lack the rows: see store.InsertEventsAgain
		if attempts, err = s.withoutStored(ctx, attempts); err == nil {
			err = s.store.RecordOutcomes(ctx, batch.Token()+store.AgainSuffix, deliveries, attempts)
		}
	}
	if errors.Is(err, store.ErrRefused) {
		return fmt.Errorf("%w: %w", spool.ErrRefused, err)
	}
	return err
}

func (s *sink) withoutStored(ctx context.Context, attempts []event.Attempt) ([]event.Attempt, error) {
	stored, err := s.store.StoredAttempts(ctx, attempts)
	return slices.DeleteFunc(attempts, func(a event.Attempt) bool { return stored[a.ID] }), err
}

// Quarantine keeps a record that ClickHouse refuses in the table quarantine.
func (s *sink) Quarantine(ctx context.Context, batch spool.Batch, refusal error) error {
	s.logger.Error("ClickHouse refuses an outcome; the table quarantine has it, and ClickHouse's words")
	return s.store.InsertQuarantine(ctx, batch.Token(), store.Quarantined{
		ReceivedAt: batch.Appended, Source: "(replay)", Error: refusal.Error(), Record: batch.Records[0]})
}
