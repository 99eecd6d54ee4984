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
	return sendAll(v, "events", format, api.ListColumns(),
		func() error { return v.direct.RecordDownload(v.Context(), f.Selection) },
		func(ctx context.Context, cursor string) ([]api.Event, string, error) {
			page, err := v.direct.Events(ctx, f.Selection, downloadPage, cursor)
			return page.Events, page.Next, err
		})
}

// downloadDeliveries sends all selected deliveries without their attempts, and records that.
func (v *visit) downloadDeliveries(format string) error {
	f, err := v.deliveryFilters(nil)
	if err != nil {
		return err
	}
	return sendAll(v, "deliveries", format, api.DeliveryColumns(),
		func() error { return v.direct.RecordDeliveriesDownload(v.Context(), f.DeliverySelection) },
		func(ctx context.Context, cursor string) ([]api.Delivery, string, error) {
			page, err := v.direct.Deliveries(ctx, f.DeliverySelection, downloadPage, cursor)
			return page.Deliveries, page.Next, err
		})
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

// downloadPage is the number of rows that a download reads at once.
const downloadPage = 1000

// sendAll sends the rows of all pages as a file, after record has recorded that. Each page extends the time limits: a
// download may take longer than a page of the console.
func sendAll[T any](v *visit, name, format string, columns api.Columns[T], record func() error,
	page func(ctx context.Context, cursor string) (rows []T, next string, err error)) error {
	rows, next, err := page(v.Context(), "")
	if err == nil {
		err = record()
	}
	if err != nil {
		return err
	}
	v.attach(name, format)
	w := api.NewRows(v.w, format, columns)
	for err = api.WriteRows(w, rows); err == nil && next != ""; {
		_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(requestTimeout))
		ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), requestTimeout)
		if rows, next, err = page(ctx, next); err == nil {
			err = api.WriteRows(w, rows)
		}
		cancel()
	}
	if err != nil {
		v.Logger.Warn("a download broke off", "error", err)
		panic(http.ErrAbortHandler) // otherwise the browser would take the part for the whole
	}
	return nil
}
