package console

import (
	"net/url"
	"slices"

	"github.com/dustin/go-humanize"

	"hooktape/web/api"
)

// The pages for the role admin. Their figures are the API's, which checks the role.

// maxAudit is the number of entries of the audit log on a page, and of a download. Tests lower it.
var maxAudit = 100

const maxAuditDownload = 100_000

type auditLogPage struct {
	Entries       []auditRow
	Who, Actions  []choice
	Filtered      bool
	Older, Newest string // addresses
	CSV           string
}

type auditRow struct {
	api.AuditEntry
	At  moment
	URL string // of the target
}

// auditFilter reads the filters of the address. An empty value is no filter: forms send empty fields.
func (v *visit) auditFilter() (api.AuditFilter, error) {
	f := api.AuditFilter{}
	for name, values := range v.URL.Query() {
		values = slices.DeleteFunc(slices.Clone(values), func(value string) bool { return value == "" })
		switch name {
		case "who":
			f.Who = values
		case "action":
			f.Actions = values
		case "cursor":
		default:
			return f, api.Invalidf("there is no filter %q; the filters are who and action", name)
		}
	}
	return f, nil
}

func showAuditLog(v *visit) error {
	f, err := v.auditFilter()
	if err != nil {
		return err
	}
	cursor := v.URL.Query().Get("cursor")
	page, err := v.direct.AuditPage(v.Context(), f, maxAudit, cursor)
	if err != nil {
		return err
	}
	who, actions, err := v.direct.AuditNames(v.Context())
	if err != nil {
		return err
	}
	query := url.Values{"who": f.Who, "action": f.Actions}
	p := auditLogPage{Who: chosen(who, f.Who), Actions: chosen(actions, f.Actions),
		Filtered: len(f.Who)+len(f.Actions) > 0, CSV: link("/audit-log.csv", query)}
	if cursor != "" {
		p.Newest = link("/audit-log", query)
	}
	if page.Next != "" {
		query.Set("cursor", page.Next)
		p.Older = link("/audit-log", query)
	}
	for _, e := range page.Entries {
		p.Entries = append(p.Entries, auditRow{e, v.at(e.At), targetURL(e)})
	}
	return v.show("auditlog", "Audit log", p)
}

// chosen returns the choices of a filter, of which the first is none.
func chosen(values, current []string) []choice {
	list := []choice{{}}
	for _, value := range values {
		list = append(list, choice{value, value, slices.Contains(current, value)})
	}
	return list
}

// targetURL returns the page of what an entry is about, or "".
func targetURL(e api.AuditEntry) string {
	switch e.Action {
	case "event.view", "event.download", "event.accept":
		return "/events/" + url.PathEscape(e.Target)
	case "replay.create", "replay.pause", "replay.resume", "replay.cancel", "replay.set-rate", "replay.rate":
		return "/replays/" + url.PathEscape(e.Target)
	case "events.download":
		return localPath(e.Target)
	}
	return ""
}

func downloadAuditLog(v *visit) error {
	f, err := v.auditFilter()
	if err != nil {
		return err
	}
	var entries []api.AuditEntry
	for cursor := ""; ; {
		page, err := v.direct.AuditPage(v.Context(), f, 10_000, cursor)
		if err != nil {
			return err
		}
		entries = append(entries, page.Entries...)
		if cursor = page.Next; cursor == "" || len(entries) >= maxAuditDownload {
			break
		}
	}
	v.attach("audit-log", "csv")
	return api.WriteRows(api.NewRows(v.w, "csv", api.AuditColumns()), entries)
}

type retentionPage struct {
	api.RetentionReport
	Differs bool // what is configured is not in force yet
}

func showRetention(v *visit) error {
	report, err := v.direct.Retention(v.Context())
	if err != nil {
		return err
	}
	p := retentionPage{RetentionReport: report}
	for _, k := range report.Kept {
		p.Differs = p.Differs || k.Configured != k.InForce
	}
	return v.show("retention", "Retention", p)
}

type storagePage struct {
	api.StorageReport
	Tables []tableRow
	All    tableRow
	Disks  []diskRow
}

type tableRow struct {
	api.TableStorage
	Share float64 // of the largest
}

type diskRow struct {
	api.DiskStorage
	Used float64 // percent
	Low  bool
}

// lowDisk is the share of free space below which a disk is shown as nearly full.
const lowDisk = 0.1

func showStorage(v *visit) error {
	report, err := v.direct.Storage(v.Context())
	if err != nil {
		return err
	}
	p := storagePage{StorageReport: report}
	for _, t := range report.Tables {
		p.Tables = append(p.Tables, tableRow{t, 100 * float64(t.Bytes) / float64(max(report.Tables[0].Bytes, 1))})
		p.All.Rows += t.Rows
		p.All.Bytes += t.Bytes
		p.All.Compressed += t.Compressed
		p.All.Uncompressed += t.Uncompressed
	}
	for _, d := range report.Disks {
		free := float64(d.Free) / float64(max(d.Total, 1))
		p.Disks = append(p.Disks, diskRow{d, 100 * (1 - free), free < lowDisk})
	}
	return v.show("storage", "Storage", p)
}

// Ratio returns the compression, such as 8.3.
func (t tableRow) Ratio() string {
	if t.Compressed == 0 {
		return "–"
	}
	return humanize.FormatFloat("#,###.#", float64(t.Uncompressed)/float64(t.Compressed))
}

// size formats bytes.
func size(bytes uint64) string { return humanize.IBytes(bytes) }
