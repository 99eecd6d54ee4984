package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"hooktape/event"
	"hooktape/replay/api"
)

// maxDownload is how many events a download may have.
var maxDownload uint64 = 1_000_000

func downloadCSV(v *visit) error {
	return v.download("csv", "text/csv; charset=utf-8", func(w io.Writer) writer { return newCSV(w) })
}

func downloadNDJSON(v *visit) error {
	return v.download("ndjson", "application/x-ndjson", func(w io.Writer) writer { return &ndjsonWriter{json.NewEncoder(w)} })
}

// writer writes one format.
type writer interface {
	write(e api.Event) error
	flush() error
}

// download sends all selected events, without their requests. It is written down who did that.
func (v *visit) download(kind, contentType string, open func(io.Writer) writer) error {
	f, err := v.filters("chosen")
	if err != nil {
		return err
	}
	if v.URL.Query().Has("chosen") && len(f.IDs) == 0 {
		return problem(http.StatusUnprocessableEntity, "no event is chosen; tick some at their left")
	}
	n, err := v.direct.Count(v.Context(), f.Selection, maxDownload+1)
	if err != nil {
		return err
	}
	if n > maxDownload {
		return problem(http.StatusUnprocessableEntity, "these are more than %s events, the most that a browser is sent; `hooktape events export` writes any number to a file", number(maxDownload))
	}
	page, err := v.direct.Events(v.Context(), f.Selection, 1000, "")
	if err != nil {
		return err
	}
	if err := v.note("events.download", f.masked()); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="hooktape-events-`+v.now.UTC().Format("20060102-150405")+"."+kind+`"`)
	if err := v.sendPages(open(v.w), f.Selection, page); err != nil {
		v.Logger.Warn("a download of events has broken off", "error", err)
		panic(http.ErrAbortHandler) // the connection breaks, so that nobody takes the half for the whole
	}
	return nil
}

func (v *visit) sendPages(w writer, sel event.Selection, page api.EventPage) error {
	control := http.NewResponseController(v.w)
	for {
		for _, e := range page.Events {
			if err := w.write(e); err != nil {
				return err
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(requestTimeout)) // as at the beginning
		if page.Next == "" {
			return nil
		}
		// A download may take longer than a page.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), requestTimeout)
		next, err := v.direct.Events(ctx, sel, 1000, page.Next)
		cancel()
		if err != nil {
			return err
		}
		page = next
	}
}

type ndjsonWriter struct{ encoder *json.Encoder }

func (w *ndjsonWriter) write(e api.Event) error { return w.encoder.Encode(e) }
func (w *ndjsonWriter) flush() error            { return nil }

type csvWriter struct{ *csv.Writer }

// csvColumns are the columns of the table, in this order, and the custom fields as JSON.
var csvColumns = slices.Concat([]string{"id", "received_at", "source", "step", "kind", "verdict", "remote_ip", "trace_id", "duplicate_of"},
	api.DecodedNames, []string{"fields", "decode_error"})

func newCSV(w io.Writer) csvWriter {
	out := csvWriter{csv.NewWriter(w)}
	_ = out.Write(csvColumns) // flush tells
	return out
}

func (w csvWriter) write(e api.Event) error {
	duplicate := ""
	if e.DuplicateOf != nil {
		duplicate = e.DuplicateOf.String()
	}
	record := []string{e.ID.String(), e.ReceivedAt.UTC().Format(time.RFC3339Nano), e.Source, e.Step, string(e.Kind), string(e.Verdict), e.RemoteIP, e.TraceID, duplicate}
	for _, name := range api.DecodedNames {
		record = append(record, e.Decoded[name])
	}
	fields, err := json.Marshal(e.Fields)
	if err != nil {
		return err
	}
	record = append(record, string(fields), e.DecodeError)
	for i, cell := range record {
		record[i] = harmlessCell(cell)
	}
	return w.Write(record)
}

func (w csvWriter) flush() error {
	w.Flush()
	return w.Error()
}

// harmlessCell keeps spreadsheets from taking what came from outside for a formula (OWASP, CSV Injection): an apostrophe
// before it says that it is text. A phone number or a negative number is none.
func harmlessCell(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return cell
	}
	if strings.ContainsRune("+-", rune(cell[0])) && !slices.ContainsFunc([]byte(cell[1:]), func(b byte) bool { return b < '0' || b > '9' }) && len(cell) > 1 {
		return cell
	}
	return "'" + cell
}
