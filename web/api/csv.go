package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// column is a column of a table of events or deliveries.
type column[T any] struct {
	name  string
	value func(row *T) any // text, or a value that a CSV has as JSON
}

var briefColumns, requestColumns = func() (brief, request Columns[Event]) {
	brief = Columns[Event]{
		{"id", func(e *Event) any { return e.ID.String() }},
		{"received_at", func(e *Event) any { return timeText(e.ReceivedAt) }},
		{"stored_at", func(e *Event) any { return timeText(e.StoredAt) }},
		{"source", func(e *Event) any { return e.Source }},
		{"step", func(e *Event) any { return e.Step }},
		{"kind", func(e *Event) any { return string(e.Kind) }},
		{"verdict", func(e *Event) any { return string(e.Verdict) }},
		{"remote_ip", func(e *Event) any { return e.RemoteIP }},
		{"trace_id", func(e *Event) any { return e.TraceID }},
		{"duplicate_of", func(e *Event) any {
			if e.DuplicateOf == nil {
				return ""
			}
			return e.DuplicateOf.String()
		}},
	}
	for _, name := range DecodedNames {
		brief = append(brief, column[Event]{name, func(e *Event) any { return e.Decoded[name] }})
	}
	brief = append(brief,
		column[Event]{"fields", func(e *Event) any { return e.Fields }},
		column[Event]{"decode_error", func(e *Event) any { return e.DecodeError }})
	request = Columns[Event]{
		{"method", func(e *Event) any { return e.Request.Method }},
		{"path", func(e *Event) any { return e.Request.Path }},
		{"query", func(e *Event) any { return e.Request.Query }},
		{"query_base64", func(e *Event) any { return e.Request.QueryBase64 }},
		{"headers", func(e *Event) any { return e.Request.Headers }},
		{"body_sha256", func(e *Event) any { return e.Request.BodySHA256 }},
		{"body", func(e *Event) any { return e.Request.Body }},
		{"body_base64", func(e *Event) any { return e.Request.BodyBase64 }},
		{"body_gone", func(e *Event) any {
			if e.Request.BodyGone {
				return "true"
			}
			return ""
		}},
	}
	return brief, request
}()

// Columns are the columns of a table of events or deliveries.
type Columns[T any] []column[T]

// ListColumns returns the columns of events without their requests.
func ListColumns() Columns[Event] { return slices.Clone(briefColumns) }

// AllColumns returns the columns of events with their requests.
func AllColumns() Columns[Event] { return slices.Concat(briefColumns, requestColumns) }

// Choose returns the named columns, in this order. The error for an unknown name lists the known ones.
func (c Columns[T]) Choose(names []string) (chosen Columns[T], err error) {
	for _, name := range names {
		i := slices.IndexFunc(c, func(c column[T]) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no column %q; there are %s", name, strings.Join(c.Names(), ", "))
		}
		chosen = append(chosen, c[i])
	}
	return chosen, nil
}

// Names returns the names of the columns.
func (c Columns[T]) Names() []string {
	names := make([]string, len(c))
	for i := range c {
		names[i] = c[i].name
	}
	return names
}

// Object returns the values of a row by the names of the columns.
func (c Columns[T]) Object(row *T) map[string]any {
	object := make(map[string]any, len(c))
	for _, column := range c {
		object[column.name] = column.value(row)
	}
	return object
}

// DeliveryColumns returns the columns of deliveries.
func DeliveryColumns() Columns[Delivery] {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return timeText(*t)
	}
	return Columns[Delivery]{
		{"id", func(d *Delivery) any { return d.ID }},
		{"event_id", func(d *Delivery) any { return d.EventID.String() }},
		{"event_received_at", func(d *Delivery) any { return timeText(d.EventReceivedAt) }},
		{"endpoint", func(d *Delivery) any { return d.Endpoint }},
		{"replay_id", func(d *Delivery) any {
			if d.Live() {
				return ""
			}
			return d.ReplayID.String()
		}},
		{"subscriber", func(d *Delivery) any { return d.Subscriber }},
		{"state", func(d *Delivery) any { return string(d.State) }},
		{"attempt_count", func(d *Delivery) any { return strconv.Itoa(int(d.AttemptCount)) }},
		{"first_attempt_at", func(d *Delivery) any { return at(d.FirstAttemptAt) }},
		{"last_attempt_at", func(d *Delivery) any { return at(d.LastAttemptAt) }},
		{"outcome", func(d *Delivery) any { return string(d.Outcome) }},
		{"status_code", func(d *Delivery) any {
			if d.StatusCode == 0 {
				return ""
			}
			return strconv.Itoa(int(d.StatusCode))
		}},
		{"answer", func(d *Delivery) any { return d.Answer }},
		{"error", func(d *Delivery) any { return d.Error }},
		{"next_at", func(d *Delivery) any { return at(d.NextAt) }},
		{"waiting", func(d *Delivery) any {
			if d.Waiting == nil {
				return ""
			}
			return d.Waiting.Text
		}},
		{"updated_at", func(d *Delivery) any { return timeText(d.UpdatedAt) }},
	}
}

// ByteOrderMark at the beginning of a CSV makes Excel read it as UTF-8.
const ByteOrderMark = "\uFEFF"

// CSV writes events or deliveries as CSV with a header line. Values that are not text are JSON. An apostrophe precedes
// a value that a spreadsheet would run as a formula.
type CSV[T any] struct {
	columns Columns[T]
	w       *csv.Writer
	cells   []string
}

// NewCSV writes the header line. Write and Flush return its error.
func NewCSV[T any](w io.Writer, columns Columns[T]) *CSV[T] {
	c := &CSV[T]{columns: columns, w: csv.NewWriter(w), cells: make([]string, len(columns))}
	_ = c.w.Write(columns.Names())
	return c
}

// Write writes a row.
func (c *CSV[T]) Write(row *T) error {
	for i, column := range c.columns {
		text, ok := column.value(row).(string)
		if !ok {
			object, err := json.Marshal(column.value(row))
			if err != nil {
				return err
			}
			text = string(object)
		}
		c.cells[i] = harmlessCell(strings.ToValidUTF8(text, "\uFFFD"))
	}
	return c.w.Write(c.cells)
}

// Flush writes buffered rows to the underlying writer.
func (c *CSV[T]) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// harmlessCell puts an apostrophe before a value that a spreadsheet would run as a formula (OWASP, CSV Injection).
// Phone numbers and negative numbers stay as they are: digits and separators cannot name a function or a cell.
func harmlessCell(cell string) string {
	first, size := utf8.DecodeRuneInString(cell)
	rest := cell[size:]
	switch {
	case cell == "" || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", first):
		return cell
	case strings.ContainsRune("+-", first) && strings.ContainsAny(rest, "0123456789") &&
		strings.Trim(rest, "0123456789 ().-") == "":
		return cell
	}
	return "'" + cell
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
