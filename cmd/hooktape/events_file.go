package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/archive"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/web/api"
)

// eventFile is a file of events in one of the formats.
type eventFile interface {
	// read reads the current row, and returns its place in the order of arrival.
	read(rows *store.Rows) (store.Cursor, error)
	// write writes the event that read has read.
	write() error
	close() error
}

// exportFormat is the format of an export.
type exportFormat struct {
	name    string
	columns []string // empty means all
	mark    bool     // a CSV begins with a byte order mark
}

func (f exportFormat) newFile(w io.Writer, columns []store.Column) (eventFile, error) {
	if f.name == "parquet" {
		chosen, err := f.tableColumns(columns)
		if err != nil {
			return nil, err
		}
		file, err := archive.NewWriter(w, "events", columns, archive.Readable, chosen...)
		return &parquetFile{file}, err
	}
	chosen := api.AllColumns()
	if len(f.columns) > 0 {
		var err error
		if chosen, err = chosen.Choose(f.columns); err != nil {
			return nil, fmt.Errorf("--columns: %w", err)
		}
	}
	if f.name == "csv" {
		if f.mark {
			if _, err := io.WriteString(w, api.ByteOrderMark); err != nil {
				return nil, err
			}
		}
		return &rowsFile{rows: api.NewCSV(w, chosen)}, nil
	}
	if len(f.columns) == 0 {
		chosen = nil
	}
	return &rowsFile{rows: api.NewNDJSON(w, chosen)}, nil
}

// tableColumns returns the names of the chosen columns.
func (f exportFormat) tableColumns(columns []store.Column) (names []string, err error) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	for _, name := range f.columns {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--columns: there is no column %q; Parquet has %s", name, strings.Join(names, ", "))
		}
	}
	return f.columns, nil
}

type parquetFile struct{ *archive.Writer }

func (f *parquetFile) read(rows *store.Rows) (store.Cursor, error) {
	if err := f.Scan(rows); err != nil {
		return store.Cursor{}, err
	}
	at, _ := f.Value("received_at").(time.Time)
	id, _ := f.Value("id").(uuid.UUID)
	return store.Cursor{At: at, ID: id}, nil
}

func (f *parquetFile) write() error { return f.Write() }
func (f *parquetFile) close() error { return f.Close() }

// rowsFile has each event in a row or a line: as JSON, as `events show --json` prints it but without deliveries.
type rowsFile struct {
	event event.Event // that was last read
	rows  api.Rows[api.Event]
}

func (f *rowsFile) read(rows *store.Rows) (place store.Cursor, err error) {
	f.event, err = rows.Event()
	return store.Cursor{At: f.event.ReceivedAt, ID: f.event.ID}, err
}

func (f *rowsFile) write() error {
	e := api.WholeEvent(&f.event, nil)
	return f.rows.Write(&e)
}

func (f *rowsFile) close() error { return f.rows.Flush() }
