package store

import (
	"context"
	"time"
)

// Span is one span of a trace.
type Span struct {
	ID, ParentID string
	Name, Kind   string
	Start        time.Time
	Duration     time.Duration
	Status       string
	Links        []string // trace ids
}

// SpansOf returns a trace's spans in order of their start.
func (s *Store) SpansOf(ctx context.Context, traceID string) ([]Span, error) {
	return s.spans(ctx, traceID, &conditions{})
}

// SpansNear is SpansOf for a trace that is known to have begun about a time: it looks at an hour before and after alone.
func (s *Store) SpansNear(ctx context.Context, traceID string, at time.Time) ([]Span, error) {
	where := &conditions{}
	where.add("Timestamp >= {}", "DateTime64(6,'UTC')", micros(at.Add(-time.Hour)))
	where.add("Timestamp <= {}", "DateTime64(6,'UTC')", micros(at.Add(time.Hour)))
	return s.spans(ctx, traceID, where)
}

func (s *Store) spans(ctx context.Context, traceID string, where *conditions) ([]Span, error) {
	where.add("TraceId = {}", "String", traceID)
	rows, err := s.conn.Query(ctx, `SELECT SpanId, ParentSpanId, SpanName, SpanKind, Timestamp, Duration, StatusCode, Links.TraceId
		FROM otel_traces WHERE `+where.String()+" ORDER BY Timestamp", where.args...)
	if err != nil {
		return nil, explain("read trace", err)
	}
	defer rows.Close()
	var spans []Span
	for rows.Next() {
		var span Span
		var nanos uint64
		if err := rows.Scan(&span.ID, &span.ParentID, &span.Name, &span.Kind, &span.Start, &nanos, &span.Status, &span.Links); err != nil {
			return nil, explain("read trace", err)
		}
		span.Duration = time.Duration(nanos)
		spans = append(spans, span)
	}
	return spans, explain("read trace", rows.Err())
}
