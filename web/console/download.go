package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
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
	if err := v.direct.NoteDownload(v.Context(), f.Selection); err != nil {
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

type csvWriter struct{ *api.CSV }

func newCSV(w io.Writer) csvWriter {
	_, _ = io.WriteString(w, api.ByteOrderMark) // flush tells
	return csvWriter{api.NewCSV(w, api.ListColumns())}
}

func (w csvWriter) write(e api.Event) error { return w.Write(&e) }
func (w csvWriter) flush() error            { return w.Flush() }
