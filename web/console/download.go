package console

import (
	"context"
	"io"
	"net/http"
	"time"

	"hooktape/web/api"
)

// maxDownload is the most events of a download. Tests lower it.
var maxDownload uint64 = 1_000_000

// downloadEvents sends all selected events without their requests, and records that.
func (v *visit) downloadEvents(format string) error {
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
	v.attach("events", format)
	sendPages(v, api.NewRows(v.w, format, api.ListColumns()), page.Events, page.Next,
		func(ctx context.Context, cursor string) ([]api.Event, string, error) {
			page, err := v.direct.Events(ctx, f.Selection, 1000, cursor)
			return page.Events, page.Next, err
		})
	return nil
}

// downloadDeliveries sends all selected deliveries without their attempts, and records that.
func (v *visit) downloadDeliveries(format string) error {
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
	v.attach("deliveries", format)
	sendPages(v, api.NewRows(v.w, format, api.DeliveryColumns()), page.Deliveries, page.Next,
		func(ctx context.Context, cursor string) ([]api.Delivery, string, error) {
			page, err := v.direct.Deliveries(ctx, f.DeliverySelection, 1000, cursor)
			return page.Deliveries, page.Next, err
		})
	return nil
}

// attach begins the answer with a file to download, in a format of api.RowTypes.
func (v *visit) attach(name, format string) {
	h := v.w.Header()
	h.Set("Content-Type", api.RowTypes[format])
	h.Set("Content-Disposition", `attachment; filename="hooktape-`+name+`-`+v.now.UTC().Format("20060102-150405")+"."+
		format+`"`)
	if format == "csv" {
		_, _ = io.WriteString(v.w, api.ByteOrderMark) // the writer of the rows returns the error
	}
}

// sendPages sends a page and all that follow. Each page extends the time limits: a download may take longer than a
// page.
func sendPages[T any](v *visit, w api.Rows[T], rows []T, next string,
	page func(context.Context, string) ([]T, string, error)) {
	err := func() error {
		for {
			if err := api.WriteRows(w, rows); err != nil {
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
