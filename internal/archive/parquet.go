package archive

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"hooktape/internal/store"
)

const (
	// groupBytes is the approximate size of a row group, which is in memory until it is written, and groupRows its
	// number of rows.
	groupBytes = 32 << 20
	groupRows  = 50_000
)

// Writer writes rows to a Parquet file.
type Writer struct {
	*layout
	file  *parquet.GenericWriter[any]
	value reflect.Value // the current row
	dest  []any         // pointers to its fields
	text  []bool        // by column of the file: it must be UTF-8
	bytes int64         // in the row group
	rows  int           // in the row group
	Rows  uint64        // written in total
}

// NewWriter returns a writer of rows with these columns. If only has names, the file has just those columns, in the
// table's order.
func NewWriter(w io.Writer, table string, columns []store.Column, as Strings, only ...string) (*Writer, error) {
	l, err := layoutOf(table, columns, as, only...)
	if err != nil {
		return nil, err
	}
	writer := &Writer{layout: l, file: parquet.NewGenericWriter[any](w, l.schema), value: reflect.New(l.row).Elem()}
	for i := range l.columns {
		writer.dest = append(writer.dest, writer.value.Field(i).Addr().Interface())
	}
	for _, path := range l.schema.Columns() {
		leaf, _ := l.schema.Lookup(path...)
		logical := leaf.Node.Type().LogicalType()
		writer.text = append(writer.text, as == Readable && logical != nil && logical.String() == "STRING")
	}
	return writer, nil
}

// Scan reads the current row of rows.
func (w *Writer) Scan(rows *store.Rows) error {
	w.value.SetZero()
	return rows.Scan(w.dest...)
}

// Value returns a column's value in the row of the last Scan; nil for an unknown column.
func (w *Writer) Value(column string) any {
	if i := slices.Index(w.columns, column); i >= 0 {
		return w.value.Field(i).Interface()
	}
	return nil
}

// Write writes the row of the last Scan.
func (w *Writer) Write() error {
	row := w.schema.Deconstruct(nil, w.value.Addr().Interface())
	for i, v := range row {
		if w.text[v.Column()] && !utf8.Valid(v.ByteArray()) {
			valid := bytes.ToValidUTF8(v.ByteArray(), []byte("\uFFFD"))
			row[i] = parquet.ByteArrayValue(valid).Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
		}
	}
	if _, err := w.file.WriteRows([]parquet.Row{row}); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	w.Rows++
	w.rows++
	for _, v := range row {
		w.bytes += 8
		if v.Kind() == parquet.ByteArray {
			w.bytes += int64(len(v.ByteArray()))
		}
	}
	if w.bytes >= groupBytes || w.rows >= groupRows {
		w.bytes, w.rows = 0, 0
		return w.file.Flush()
	}
	return nil
}

// Close writes the remaining rows and the file's footer.
func (w *Writer) Close() error { return w.file.Close() }

// Reader reads the file of a Writer, exact or readable, into rows of the same columns.
type Reader struct {
	*layout
	file *parquet.GenericReader[any]
	rows []parquet.Row
	have []parquet.Row
}

// readRows is the number of rows in a read.
const readRows = 64

// NewReader returns a reader of rows for a table with these columns. All columns of the file must be among them.
func NewReader(r io.ReaderAt, size int64, table string, columns []store.Column) (*Reader, error) {
	file, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	known := map[string]store.Column{}
	for _, c := range columns {
		known[c.Name] = c
	}
	var of []store.Column
	for _, f := range file.Schema().Fields() {
		c, ok := known[f.Name()]
		if !ok {
			return nil, fmt.Errorf("the file has a column %s that the table %s lacks", f.Name(), table)
		}
		of = append(of, c)
	}
	l, err := layoutOf(table, of, Exact)
	if err != nil {
		return nil, err
	}
	return &Reader{layout: l, file: parquet.NewGenericReader[any](file, l.schema),
		rows: make([]parquet.Row, readRows)}, nil
}

// Columns returns the names of the columns in the file. Columns that the table got later have their defaults.
func (r *Reader) Columns() []string { return r.columns }

// Read returns the values of the next row; io.EOF after the last.
func (r *Reader) Read() ([]any, error) {
	if len(r.have) == 0 {
		n, err := r.file.ReadRows(r.rows)
		if n == 0 && err == nil {
			err = io.ErrNoProgress
		}
		if n == 0 {
			return nil, err
		}
		r.have = r.rows[:n]
	}
	row := reflect.New(r.row)
	if err := r.schema.Reconstruct(row.Interface(), r.have[0]); err != nil {
		return nil, fmt.Errorf("read Parquet: %w", err)
	}
	r.have = r.have[1:]
	return values(row.Elem()), nil
}

// Close releases the file's pages.
func (r *Reader) Close() error { return r.file.Close() }
