package store

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// inPieces limits the server to a few bodies in memory: it reads in the order of the primary key, in blocks of about a
// megabyte, and continues only as the client takes rows.
var inPieces = clickhouse.Settings{"optimize_read_in_order": 1, "max_threads": 1, "max_block_size": 256,
	"preferred_block_size_bytes": 1 << 20}

// Payloads returns the parts of events that are needed to send them, in order of arrival; paths, queries and parsed
// fields are missing. It stops after the event with which the bodies reach maxBytes, so it returns at least one; the
// caller asks again for the rest. Events that are not stored are absent.
func (s *Store) Payloads(ctx context.Context, ids []uuid.UUID, maxBytes int) ([]event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.identified(ids)
	// Closing rows reads them to the end; after a cancellation the server sends no more.
	ctx, cancel := context.WithCancel(with(ctx, inPieces))
	defer cancel()
	rows, err := s.conn.Query(ctx, fmt.Sprintf(`SELECT id, received_at, source, step, method, headers, body, body_sha256, trace_id, span_id FROM events
		WHERE %s ORDER BY received_at, id LIMIT 1 BY id`, where), where.args...)
	if err != nil {
		return nil, explain("read payloads", err)
	}
	var events []event.Event
	for size := 0; rows.Next(); {
		var e event.Event
		if err := scanPayload(rows, &e); err != nil {
			cancel()
			rows.Close()
			return nil, explain("read payloads", err)
		}
		events = append(events, e)
		if size += len(e.Body); size >= maxBytes {
			cancel()
			rows.Close()
			return events, nil
		}
	}
	rows.Close()
	return events, explain("read payloads", rows.Err())
}

func scanPayload(rows driver.Rows, e *event.Event) error {
	var body, sha, trace, span string
	var headers []map[string]any
	if err := rows.Scan(&e.ID, &e.ReceivedAt, &e.Source, &e.Step, &e.Method, &headers, &body, &sha, &trace,
		&span); err != nil {
		return err
	}
	e.Body, e.Headers = []byte(body), headersFrom(headers)
	_, _ = hex.Decode(e.BodySHA256[:], []byte(sha))
	_, _ = hex.Decode(e.TraceID[:], []byte(trace))
	_, _ = hex.Decode(e.SpanID[:], []byte(span))
	return nil
}
