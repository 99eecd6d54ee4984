package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// column is a column of a table of events.
type column struct {
	name  string
	value func(e *Event) any // text, or what stands as JSON in a CSV
}

var briefColumns, requestColumns = func() (brief, request []column) {
	brief = []column{
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
		brief = append(brief, column{name, func(e *Event) any { return e.Decoded[name] }})
	}
	brief = append(brief, column{"fields", func(e *Event) any { return e.Fields }}, column{"decode_error", func(e *Event) any { return e.DecodeError }})
	request = []column{
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

// Columns are those of a table of events.
type Columns []column

// ListColumns are the columns of events as they stand in lists, without their requests.
func ListColumns() Columns { return slices.Clone(briefColumns) }

// AllColumns are the columns of whole events.
func AllColumns() Columns { return slices.Concat(briefColumns, requestColumns) }

// Choose returns the columns of these names, in this order. An unknown name is an error that lists the known ones.
func (c Columns) Choose(names []string) (chosen Columns, err error) {
	for _, name := range names {
		i := slices.IndexFunc(c, func(c column) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no column %q; there are %s", name, strings.Join(c.Names(), ", "))
		}
		chosen = append(chosen, c[i])
	}
	return chosen, nil
}

// Names are the columns' names.
func (c Columns) Names() []string {
	names := make([]string, len(c))
	for i := range c {
		names[i] = c[i].name
	}
	return names
}

// Object is an event's columns by their names.
func (c Columns) Object(e *Event) map[string]any {
	object := make(map[string]any, len(c))
	for _, column := range c {
		object[column.name] = column.value(e)
	}
	return object
}

// ByteOrderMark at the beginning of a CSV tells Excel that it is UTF-8; without it Cyrillic is garbled.
const ByteOrderMark = "\uFEFF"

// CSV writes events as CSV, the columns' names on the first line; fields and headers are JSON. What a spreadsheet would take
// for a formula has an apostrophe before it.
type CSV struct {
	columns Columns
	w       *csv.Writer
	cells   []string
}

// NewCSV writes the first line. Errors show at Write and Flush.
func NewCSV(w io.Writer, columns Columns) *CSV {
	c := &CSV{columns: columns, w: csv.NewWriter(w), cells: make([]string, len(columns))}
	_ = c.w.Write(columns.Names())
	return c
}

// Write writes an event.
func (c *CSV) Write(e *Event) error {
	for i, column := range c.columns {
		text, ok := column.value(e).(string)
		if !ok {
			object, err := json.Marshal(column.value(e))
			if err != nil {
				return err
			}
			text = string(object)
		}
		c.cells[i] = harmlessCell(strings.ToValidUTF8(text, "\uFFFD"))
	}
	return c.w.Write(c.cells)
}

// Flush brings what was written to the underlying writer.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// harmlessCell keeps spreadsheets from taking what came from outside for a formula (OWASP, CSV Injection): an apostrophe
// before it says that it is text. A phone number or a negative number stays as it is: digits and what separates them can name
// neither a function nor a cell.
func harmlessCell(cell string) string {
	switch first, rest := firstRune(cell); {
	case !strings.ContainsRune("=+-@\t\r\n＝＋－＠", first):
		return cell
	case strings.ContainsRune("+-", first) && strings.ContainsAny(rest, "0123456789") && strings.Trim(rest, "0123456789 ().-") == "":
		return cell
	}
	return "'" + cell
}

func firstRune(s string) (first rune, rest string) {
	for i, r := range s {
		if i > 0 {
			return first, s[i:]
		}
		first = r
	}
	return first, ""
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
