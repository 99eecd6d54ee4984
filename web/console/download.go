package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"hooktape/web/api"
)

// maxDownload is the most events of a download. Tests lower it.
var maxDownload uint64 = 1_000_000

// rowWriter writes events or deliveries in one format.
type rowWriter[T any] interface {
	Write(row *T) error
	Flush() error
}

func downloadCSV(v *visit) error {
	return v.download("csv", "text/csv; charset=utf-8", func(w io.Writer) rowWriter[api.Event] {
		_, _ = io.WriteString(w, api.ByteOrderMark) // Flush returns the error
		return api.NewCSV(w, api.ListColumns())
	})
}

func downloadNDJSON(v *visit) error {
	return v.download("ndjson", "application/x-ndjson", func(w io.Writer) rowWriter[api.Event] {
		return ndjson[api.Event]{json.NewEncoder(w)}
	})
}

type ndjson[T any] struct{ encoder *json.Encoder }

func (w ndjson[T]) Write(row *T) error { return w.encoder.Encode(row) }
func (w ndjson[T]) Flush() error       { return nil }

// download sends all selected events without their requests, and records that.
func (v *visit) download(extension, contentType string, open func(io.Writer) rowWriter[api.Event]) error {
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
		return api.Invalidf("these are more than %s events, the limit of a download; `hooktape events export` writes "+
			"any number to a file", number(maxDownload))
	}
	page, err := v.direct.Events(v.Context(), f.Selection, 1000, "")
	if err != nil {
		return err
	}
	if err := v.direct.RecordDownload(v.Context(), f.Selection); err != nil {
		return err
	}
	v.attach("events", extension, contentType)
	sendPages(v, open(v.w), page.Events, page.Next,
		func(ctx context.Context, cursor string) ([]api.Event, string, error) {
			page, err := v.direct.Events(ctx, f.Selection, 1000, cursor)
			return page.Events, page.Next, err
		})
	return nil
}

func downloadDeliveriesCSV(v *visit) error {
	return v.downloadDeliveries("csv", "text/csv; charset=utf-8", func(w io.Writer) rowWriter[api.Delivery] {
		_, _ = io.WriteString(w, api.ByteOrderMark) // Flush returns the error
		return api.NewCSV(w, api.DeliveryColumns())
	})
}

func downloadDeliveriesNDJSON(v *visit) error {
	return v.downloadDeliveries("ndjson", "application/x-ndjson", func(w io.Writer) rowWriter[api.Delivery] {
		return ndjson[api.Delivery]{json.NewEncoder(w)}
	})
}

// downloadDeliveries sends all selected deliveries without their attempts, and records that.
func (v *visit) downloadDeliveries(extension, contentType string, open func(io.Writer) rowWriter[api.Delivery]) error {
	f, err := v.deliveryFilters(nil)
	if err != nil {
		return err
	}
	page, err := v.direct.Deliveries(v.Context(), f.DeliverySelection, 1000, "")
	if err != nil {
		return err
	}
	if err := v.direct.RecordDeliveriesDownload(v.Context(), f.DeliverySelection); err != nil {
		return err
	}
	v.attach("deliveries", extension, contentType)
	sendPages(v, open(v.w), page.Deliveries, page.Next,
		func(ctx context.Context, cursor string) ([]api.Delivery, string, error) {
			page, err := v.direct.Deliveries(ctx, f.DeliverySelection, 1000, cursor)
			return page.Deliveries, page.Next, err
		})
	return nil
}

// attach sets the headers of a file to download.
func (v *visit) attach(name, extension, contentType string) {
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="hooktape-`+name+`-`+v.now.UTC().Format("20060102-150405")+"."+
		extension+`"`)
}

// sendPages sends a page and all that follow. Each page extends the time limits: a download may take longer than a
// page.
func sendPages[T any](v *visit, w rowWriter[T], rows []T, next string,
	page func(context.Context, string) ([]T, string, error)) {
	err := func() error {
		for {
			for i := range rows {
				if err := w.Write(&rows[i]); err != nil {
					return err
				}
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(requestTimeout))
			if next == "" {
				return nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), requestTimeout)
			var err error
			rows, next, err = page(ctx, next)
			cancel()
			if err != nil {
				return err
			}
		}
	}()
	if err != nil {
		v.Logger.Warn("a download broke off", "error", err)
		panic(http.ErrAbortHandler) // otherwise the browser would take the part for the whole
	}
}
