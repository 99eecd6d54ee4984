package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// column is a column of a table.
type column[T any] struct {
	name  string
	value func(row *T) any // text, or a value that a CSV has as JSON
}

// columnsOf returns the columns of properties of a row, or of a part of it, by their names in JSON.
func columnsOf[T, S any](part func(row *T) *S, names ...string) (columns Columns[T]) {
	fields := reflect.VisibleFields(reflect.TypeFor[S]())
	for _, name := range names {
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool {
			property, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return property == name
		})
		field := fields[i]
		optional := strings.Contains(field.Tag.Get("json"), ",omit")
		columns = append(columns, column[T]{name, func(row *T) any {
			return cellOf(reflect.ValueOf(part(row)).Elem().FieldByIndex(field.Index), optional)
		}})
	}
	return columns
}

// cellOf returns a value as text, or unchanged if it is a list or an object in JSON. An absent value is empty.
func cellOf(v reflect.Value, optional bool) any {
	if optional && v.IsZero() {
		return ""
	}
	switch value := v.Interface().(type) {
	case time.Time:
		return timeText(value)
	case *time.Time:
		if value == nil {
			return ""
		}
		return timeText(*value)
	case uuid.UUID:
		if value == uuid.Nil {
			return ""
		}
		return value.String()
	case *Waiting:
		return value.Text
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	text, err := json.Marshal(v.Interface())
	if err != nil || text[0] == '[' || text[0] == '{' || string(text) == "null" {
		return v.Interface()
	}
	return string(text) // a number, or true
}

func itself[T any](row *T) *T { return row }

var briefColumns = func() Columns[Event] {
	list := columnsOf(itself[Event], "id", "received_at", "stored_at", "source", "step", "kind", "verdict", "remote_ip",
		"trace_id", "duplicate_of")
	for _, name := range DecodedNames {
		list = append(list, column[Event]{name, func(e *Event) any { return e.Decoded[name] }})
	}
	return append(list, columnsOf(itself[Event], "fields", "decode_error")...)
}()

// Columns are the columns of a table, such as that of events.
type Columns[T any] []column[T]

// ListColumns returns the columns of events without their requests.
func ListColumns() Columns[Event] { return slices.Clone(briefColumns) }

// AllColumns returns the columns of events with their requests.
func AllColumns() Columns[Event] {
	return slices.Concat(briefColumns, columnsOf(func(e *Event) *EventRequest { return e.Request }, "method", "path",
		"query", "query_base64", "headers", "body_sha256", "body", "body_base64", "body_gone"))
}

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

// object returns the values of a row by the names of the columns.
func (c Columns[T]) object(row *T) map[string]any {
	object := make(map[string]any, len(c))
	for _, column := range c {
		object[column.name] = column.value(row)
	}
	return object
}

// DeliveryColumns returns the columns of deliveries.
func DeliveryColumns() Columns[Delivery] {
	return columnsOf(itself[Delivery], "id", "event_id", "event_received_at", "endpoint", "replay_id", "subscriber",
		"state", "attempt_count", "first_attempt_at", "last_attempt_at", "outcome", "status_code", "answer", "error",
		"next_at", "waiting", "updated_at")
}

// AuditColumns returns the columns of the audit log.
func AuditColumns() Columns[AuditEntry] {
	return columnsOf(itself[AuditEntry], "at", "who", "action", "target", "detail", "remote_ip")
}

// RowTypes are the media types of the formats of rows.
var RowTypes = map[string]string{"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}

// Rows writes rows in one format.
type Rows[T any] interface {
	Write(row *T) error
	// Flush writes buffered rows to the underlying writer.
	Flush() error
}

// NewRows returns a writer of rows in a format of [RowTypes]. The rows of NDJSON have all properties.
func NewRows[T any](w io.Writer, format string, columns Columns[T]) Rows[T] {
	if format == "csv" {
		return NewCSV(w, columns)
	}
	return NewNDJSON[T](w, nil)
}

// WriteRows writes a list of rows.
func WriteRows[T any](w Rows[T], list []T) error {
	for i := range list {
		if err := w.Write(&list[i]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// NDJSON writes rows as JSON, one in a line.
type NDJSON[T any] struct {
	columns Columns[T]
	encoder *json.Encoder
}

// NewNDJSON returns a writer of whole rows or, with columns, of objects with these.
func NewNDJSON[T any](w io.Writer, columns Columns[T]) NDJSON[T] {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return NDJSON[T]{columns, encoder}
}

// Write implements Rows.
func (n NDJSON[T]) Write(row *T) error {
	if n.columns == nil {
		return n.encoder.Encode(row)
	}
	return n.encoder.Encode(n.columns.object(row))
}

// Flush implements Rows.
func (n NDJSON[T]) Flush() error { return nil }

// ByteOrderMark at the beginning of a CSV makes Excel read it as UTF-8.
const ByteOrderMark = "\uFEFF"

// CSV writes rows as CSV with a header line. Values that are not text are JSON. An apostrophe precedes
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

// Write implements Rows.
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

// Flush implements Rows.
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
