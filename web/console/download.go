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

// maxDownload is the most events of a download. Tests lower it.
var maxDownload uint64 = 1_000_000

// eventWriter writes events in one format.
type eventWriter interface {
	Write(e *api.Event) error
	Flush() error
}

func downloadCSV(v *visit) error {
	return v.download("csv", "text/csv; charset=utf-8", func(w io.Writer) eventWriter {
		_, _ = io.WriteString(w, api.ByteOrderMark) // Flush returns the error
		return api.NewCSV(w, api.ListColumns())
	})
}

func downloadNDJSON(v *visit) error {
	return v.download("ndjson", "application/x-ndjson", func(w io.Writer) eventWriter { return ndjson{json.NewEncoder(w)} })
}

type ndjson struct{ encoder *json.Encoder }

func (w ndjson) Write(e *api.Event) error { return w.encoder.Encode(e) }
func (w ndjson) Flush() error             { return nil }

// download sends all selected events without their requests, and records that.
func (v *visit) download(extension, contentType string, open func(io.Writer) eventWriter) error {
	f, err := v.filters("chosen")
	if err != nil {
		return err
	}
	if v.URL.Query().Has("chosen") && len(f.IDs) == 0 {
		return api.Invalidf("no event is selected; select some by their checkboxes")
	}
	n, err := v.direct.Count(v.Context(), f.Selection, maxDownload+1)
	if err != nil {
		return err
	}
	if n > maxDownload {
		return api.Invalidf("these are more than %s events, the limit of a download; `hooktape events export` writes any number to a file", number(maxDownload))
	}
	page, err := v.direct.Events(v.Context(), f.Selection, 1000, "")
	if err != nil {
		return err
	}
	if err := v.direct.RecordDownload(v.Context(), f.Selection); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="hooktape-events-`+v.now.UTC().Format("20060102-150405")+"."+extension+`"`)
	if err := v.sendPages(open(v.w), f.Selection, page); err != nil {
		v.Logger.Warn("a download of events broke off", "error", err)
		panic(http.ErrAbortHandler) // otherwise the browser would take the part for the whole
	}
	return nil
}

// sendPages sends a page and all that follow. Each page extends the time limits: a download may take longer than a
// page.
func (v *visit) sendPages(w eventWriter, sel event.Selection, page api.EventPage) error {
	control := http.NewResponseController(v.w)
	for {
		for i := range page.Events {
			if err := w.Write(&page.Events[i]); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(requestTimeout))
		if page.Next == "" {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), requestTimeout)
		next, err := v.direct.Events(ctx, sel, 1000, page.Next)
		cancel()
		if err != nil {
			return err
		}
		page = next
	}
}
