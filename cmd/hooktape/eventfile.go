package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"time"

	"github.com/google/uuid"

	"hooktape/archive"
	"hooktape/event"
	"hooktape/replay/api"
	"hooktape/store"
)

// eventFile writes events in one of the formats.
type eventFile interface {
	// read takes the event that rows stands at, and returns its place in the order of arrival.
	read(rows *store.Rows) (store.Cursor, error)
	// write writes the event that was read.
	write() error
	close() error
}

func newEventFile(format string, w io.Writer, columns []store.Column) (eventFile, error) {
	switch format {
	case "parquet":
		file, err := archive.NewWriter(w, "events", columns, archive.Readable)
		return &parquetFile{file}, err
	case "csv":
		file := &csvFile{w: csv.NewWriter(w)}
		return file, file.w.Write(csvColumns())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &jsonFile{encoder: encoder}, nil
}

type parquetFile struct{ *archive.Writer }

func (f *parquetFile) read(rows *store.Rows) (store.Cursor, error) {
	if err := f.Scan(rows); err != nil {
		return store.Cursor{}, err
	}
	at, _ := f.Value("received_at").(time.Time)
	id, _ := f.Value("id").(uuid.UUID)
	return store.Cursor{ReceivedAt: at, ID: id}, nil
}

func (f *parquetFile) write() error { return f.Write() }
func (f *parquetFile) close() error { return f.Close() }

// current is the event at hand.
type current struct{ event.Event }

func (c *current) read(rows *store.Rows) (place store.Cursor, err error) {
	c.Event, err = rows.Event()
	return store.Cursor{ReceivedAt: c.ReceivedAt, ID: c.ID}, err
}

// jsonFile has an event on each line, as `events show --json` has it but for its deliveries.
type jsonFile struct {
	current
	encoder *json.Encoder
}

func (f *jsonFile) write() error { return f.encoder.Encode(api.WholeEvent(&f.Event, nil)) }
func (f *jsonFile) close() error { return nil }

// csvFile has an event on each line, with the names of the columns on the first. Headers and custom fields are JSON.
type csvFile struct {
	current
	w *csv.Writer
}

func csvColumns() []string {
	columns := []string{"id", "received_at", "stored_at", "source", "step", "kind", "verdict", "remote_ip", "trace_id", "duplicate_of"}
	columns = append(columns, api.DecodedNames...)
	return append(columns, "fields", "decode_error", "method", "path", "query", "headers", "body_sha256", "body", "body_base64", "body_gone")
}

func (f *csvFile) write() error {
	e := api.WholeEvent(&f.Event, nil)
	duplicate, gone := "", ""
	if e.DuplicateOf != nil {
		duplicate = e.DuplicateOf.String()
	}
	if e.Request.BodyGone {
		gone = "true"
	}
	cells := []string{e.ID.String(), csvTime(e.ReceivedAt), csvTime(e.StoredAt), e.Source, e.Step, string(e.Kind), string(e.Verdict), e.RemoteIP, e.TraceID, duplicate}
	for _, name := range api.DecodedNames {
		cells = append(cells, e.Decoded[name])
	}
	fields, err := json.Marshal(e.Fields)
	if err != nil {
		return err
	}
	headers, err := json.Marshal(e.Request.Headers)
	if err != nil {
		return err
	}
	r := e.Request
	return f.w.Write(append(cells, string(fields), e.DecodeError, r.Method, r.Path, r.Query, string(headers), r.BodySHA256, r.Body, r.BodyBase64, gone))
}

func (f *csvFile) close() error {
	f.w.Flush()
	return f.w.Error()
}

func csvTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
