package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// EventStore stores events.
type EventStore interface {
	// InsertEvents stores the events once for each token. It returns store.ErrRefused if it will never store them.
	InsertEvents(ctx context.Context, token string, events []event.Event) error
	// InsertEventsAgain is InsertEvents for a token that may have been sent before.
	InsertEventsAgain(ctx context.Context, token string, events []event.Event) error
	InsertQuarantine(ctx context.Context, q store.Quarantined) error
	// Originals returns the stored original of each of these events that is a duplicate.
	Originals(ctx context.Context, events []event.Event) (map[uuid.UUID]uuid.UUID, error)
	// SplitStored splits events into those that are not stored and the ids of those that are.
	SplitStored(ctx context.Context, events []event.Event) (missing []event.Event, stored []uuid.UUID, err error)
	// RecordOutcomes stores attempts, once for each token; here without deliveries.
	RecordOutcomes(ctx context.Context, token string, deliveries []event.Delivery, attempts []event.Attempt) error
	// RecordOutcomesAgain is RecordOutcomes for a token that may have been sent before.
	RecordOutcomesAgain(ctx context.Context, token string, deliveries []event.Delivery, attempts []event.Attempt) error
	// MissingAttempts returns those that are not stored.
	MissingAttempts(ctx context.Context, attempts []event.Attempt) ([]event.Attempt, error)
	// MarkStored lets live delivery see events that an earlier insert has stored.
	MarkStored(ctx context.Context, ids []uuid.UUID) error
}

// Sink decodes the spool's records and stores them as events. It implements spool.Sink.
type Sink struct {
	store  EventStore
	kind   func(source string) event.Kind
	logger *slog.Logger
	*instruments
}

// NewSink returns a sink. kind returns the kind of a source's events whose bodies do not determine it.
func NewSink(store EventStore, kind func(source string) event.Kind, logger *slog.Logger) *Sink {
	return &Sink{store: store, kind: kind, logger: logger, instruments: newInstruments()}
}

// Store decodes a batch and inserts it. The mark of a batch is the position of the spool's last event before it, in
// microseconds since 1970.
func (s *Sink) Store(ctx context.Context, batch spool.Batch) (mark uint64, err error) {
	ctx, span := s.tracer.Start(ctx, "drain insert", trace.WithSpanKind(trace.SpanKindClient), insertOfEvents,
		trace.WithAttributes(attrBatchRows.Int(len(batch.Records)), attrBatchToken.String(batch.Token())))
	defer func() {
		if err != nil {
			// Not the error's text: a refusal may quote a body.
			span.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
			span.SetStatus(codes.Error, "insert failed")
		}
		span.End()
	}()
	events, attempts, err := decode(batch, s.kind)
	if err != nil {
		return 0, err
	}
	mark = position(events, batch.Mark)
	link(span, events)
	var stored []uuid.UUID
	// Of a damaged spool, events from before the damage may be stored; of a batch that is sent again long after,
	// perhaps all.
	if batch.PossiblyStored(store.TokenLifetime) {
		if events, stored, err = s.store.SplitStored(ctx, events); err != nil {
			return 0, err
		}
	}
	if err := s.markDuplicates(ctx, events); err != nil {
		return 0, err
	}
	if len(events) > 0 {
		insert := s.store.InsertEvents
		if batch.Repeated {
			insert = s.store.InsertEventsAgain
		}
		if err := insert(ctx, batch.Token(), events); err != nil {
			return 0, refused(err)
		}
	}
	if err := s.store.MarkStored(ctx, stored); err != nil {
		return 0, err
	}
	return mark, s.storeAttempts(ctx, batch, attempts)
}

// storeAttempts stores the attempts of a batch whose events are stored, each once.
func (s *Sink) storeAttempts(ctx context.Context, batch spool.Batch, attempts []event.Attempt) (err error) {
	if len(attempts) == 0 {
		return nil
	}
	// Damage to a spool may bring back the note of an attempt whose outcome is stored: then there is a second outcome.
	unknown := slices.ContainsFunc(attempts, func(a event.Attempt) bool { return a.Outcome == event.OutcomeUnknown })
	if unknown || batch.PossiblyStored(store.TokenLifetime) {
		if attempts, err = s.store.MissingAttempts(ctx, attempts); err != nil {
			return err
		}
	}
	record := s.store.RecordOutcomes
	if batch.Repeated {
		record = s.store.RecordOutcomesAgain
	}
	return refused(record(ctx, batch.Token(), nil, attempts))
}

// refused returns an insert's error as one of a Sink.
func refused(err error) error {
	if errors.Is(err, store.ErrRefused) {
		return fmt.Errorf("%w: %w", spool.ErrRefused, err)
	}
	return err
}

// position sets the positions of consecutive events of a spool, which grow by at least a microsecond, from the mark of
// the events before. It returns the mark for those after. The spool keeps the mark, so an event has the same position
// however often and in whatever batch it comes.
func position(events []event.Event, mark uint64) (next uint64) {
	last := int64(mark)
	for i := range events {
		received := events[i].ReceivedAt.UnixMicro()
		at := max(received, last+1)
		events[i].PositionOffset = time.Duration(at-received) * time.Microsecond
		last = at
	}
	return uint64(last)
}

// insertOfEvents has the attributes of every span of an insert.
var insertOfEvents = trace.WithAttributes(semconv.DBSystemNameClickHouse, semconv.DBOperationName("INSERT"),
	semconv.DBCollectionName("events"))

// errorType returns the error.type of a span.
func errorType(err error) string {
	switch {
	case errors.Is(err, store.ErrRefused):
		return "refused"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, store.ErrUnauthorized):
		return "unauthorized"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

// Quarantine inserts the only record of a batch into the table quarantine, with the text of the refusal.
func (s *Sink) Quarantine(ctx context.Context, batch spool.Batch, refusal error) error {
	record := batch.Records[0]
	q := store.Quarantined{ReceivedAt: batch.Appended, Error: refusal.Error(), Record: record}
	var received event.Record
	if err := received.Unmarshal(record); err == nil && received.ID == uuid.Nil && received.Outcome != nil {
		q.ID, q.Source = received.Outcome.EventID, "(forward)"
	} else if err == nil {
		q.ID, q.ReceivedAt, q.Source = received.ID, received.ReceivedAt, received.Source
		ctx = trace.ContextWithSpanContext(ctx, arrivalOf(&received.Received)) // the log line is about this request
	}
	if err := s.store.InsertQuarantine(ctx, q); err != nil {
		return err
	}
	s.logger.ErrorContext(ctx, "ClickHouse refuses an event; the table quarantine has it, with ClickHouse's message",
		"event_id", q.ID.String())
	return nil
}

// maxLinks bounds the links from an insert to its requests: a link needs a tenth of the space of an event.
const maxLinks = 32

// link links an insert's span to the first of its requests that have a span.
func link(span trace.Span, events []event.Event) {
	left := maxLinks
	for i := range events {
		if left == 0 {
			return
		}
		if r := &events[i].Received; !r.Untraced {
			span.AddLink(trace.Link{SpanContext: arrivalOf(r)})
			left--
		}
	}
}

// arrivalOf returns the span of the request of an event.
func arrivalOf(r *event.Received) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: r.TraceID, SpanID: r.SpanID,
		TraceFlags: trace.FlagsSampled})
}
