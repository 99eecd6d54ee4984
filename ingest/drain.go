package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// EventStore is where the events go.
type EventStore interface {
	// InsertEvents stores the events once for each token. It fails with store.ErrRefused when it never will.
	InsertEvents(ctx context.Context, token string, events []event.Event) error
	// InsertEventsAgain is InsertEvents for a token that may have been sent before.
	InsertEventsAgain(ctx context.Context, token string, events []event.Event) error
	InsertQuarantine(ctx context.Context, token string, q store.Quarantined) error
	// Originals returns, of these events, those of which the same request is stored already.
	Originals(ctx context.Context, events []event.Event) (map[uuid.UUID]uuid.UUID, error)
	// Stored returns which of the ids are stored.
	StoredEvents(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error)
	// MarkStored lets live delivery see events that an earlier insert has stored.
	MarkStored(ctx context.Context, ids []uuid.UUID) error
}

// Sink decodes what the spool holds and brings it to the store. It implements spool.Sink.
type Sink struct {
	store  EventStore
	kind   func(source string) event.Kind
	logger *slog.Logger
	*instruments
}

// NewSink makes a sink. kind is what a source's events are when their bodies do not tell.
func NewSink(store EventStore, kind func(source string) event.Kind, logger *slog.Logger) *Sink {
	return &Sink{store: store, kind: kind, logger: logger, instruments: newInstruments()}
}

// Store decodes a batch and inserts it. The mark of a batch is the position of the spool's last event before it, in microseconds
// since 1970.
func (s *Sink) Store(ctx context.Context, batch spool.Batch) (mark uint64, err error) {
	ctx, span := s.tracer.Start(ctx, "drain insert", trace.WithSpanKind(trace.SpanKindClient), insertOfEvents,
		trace.WithAttributes(attrBatchRows.Int(len(batch.Records)), attrBatchToken.String(batch.Token())))
	defer func() {
		if err != nil {
			// Not the error's text: a refusal may quote what people wrote.
			span.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
			span.SetStatus(codes.Error, "insert failed")
		}
		span.End()
	}()
	events, err := decode(batch, s.kind)
	if err != nil {
		return 0, err
	}
	mark = position(events, batch.Mark)
	link(span, events)
	var stored []uuid.UUID
	if batch.PossiblyStored(store.TokenLifetime) {
		if events, stored, err = s.withoutStored(ctx, events); err != nil {
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
		if err := insert(ctx, batch.Token(), events); errors.Is(err, store.ErrRefused) {
			return 0, fmt.Errorf("%w: %w", spool.ErrRefused, err)
		} else if err != nil {
			return 0, err
		}
	}
	return mark, s.store.MarkStored(ctx, stored)
}

// position gives the events, which follow each other in their spool, positions that grow by a microsecond at least, the first
// behind the mark of the events before. It returns the mark of those after. So an event has the same position however often
// and in whatever batch it comes, for the spool keeps the mark.
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

// insertOfEvents is what every span of an insert begins with.
var insertOfEvents = trace.WithAttributes(semconv.DBSystemNameClickHouse, semconv.DBOperationName("INSERT"), semconv.DBCollectionName("events"))

// errorType is the kind of an error as spans have it.
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

// withoutStored splits events into those that are not stored yet and the ids of those that are: of a damaged spool, those of
// before the damage; of a batch that is sent again long after, perhaps all.
func (s *Sink) withoutStored(ctx context.Context, events []event.Event) (fresh []event.Event, stored []uuid.UUID, err error) {
	ids := make([]uuid.UUID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	there, err := s.store.StoredEvents(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		if there[e.ID] {
			stored = append(stored, e.ID)
		} else {
			fresh = append(fresh, e)
		}
	}
	return fresh, stored, nil
}

// Quarantine puts the only record of a batch into the table quarantine, with the words of the refusal.
func (s *Sink) Quarantine(ctx context.Context, batch spool.Batch, refusal error) error {
	record := batch.Records[0]
	q := store.Quarantined{ReceivedAt: batch.Appended, Error: refusal.Error(), Record: record}
	var received event.Received
	if err := received.Unmarshal(record); err == nil {
		q.ID, q.ReceivedAt, q.Source = received.ID, received.ReceivedAt, received.Source
		ctx = trace.ContextWithSpanContext(ctx, arrivalOf(&received)) // the log line is about this request
	}
	if err := s.store.InsertQuarantine(ctx, batch.Token(), q); err != nil {
		return err
	}
	s.logger.ErrorContext(ctx, "ClickHouse refuses an event; the table quarantine has it, and ClickHouse's words", "event_id", q.ID.String())
	return nil
}

// maxLinks is how many of a batch's requests its insert is linked with: a link takes a tenth of what an event does.
const maxLinks = 32

// link leads from an insert to the first of its requests that have a span.
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

// arrivalOf is the span of the request that brought an event.
func arrivalOf(r *event.Received) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: r.TraceID, SpanID: r.SpanID, TraceFlags: trace.FlagsSampled})
}
