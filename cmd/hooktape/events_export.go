package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hooktape/internal/archive"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

type eventsExportCmd struct {
	selectionFlags
	oldTo
	Format  string   `enum:",ndjson,csv,parquet" default:"" placeholder:"FORMAT" help:"ndjson, csv or parquet (default: what the file's name ends with; ndjson for standard output)."`
	Columns []string `placeholder:"NAME,…" help:"Write these columns only; an unknown name lists those that there are."`
	File    string   `arg:"" help:"The file to write: .ndjson, .csv or .parquet; - for standard output."`
}

// Help implements kong.HelpProvider.
func (eventsExportCmd) Help() string {
	return `Writes whole events, in order of arrival. The file appears under its name when it is complete, until then
as FILE.partial.

Text is UTF-8 in each format. What came over the network may be any bytes: body, query and the values of headers are
columns of bytes in Parquet; in ndjson and csv they are text where they are UTF-8, else they stand in body_base64,
query_base64 and value_base64.

A csv file is for Excel: it begins with a byte order mark (not on standard output), and a value that a spreadsheet
would take for a formula (beginning with = + - @, a tab or a line break) has an apostrophe before it. Telephone numbers
such as +79161234567 and negative numbers stay as they are. Programs read ndjson or Parquet without such changes.

  hooktape events export --since 30d --source demo leads.csv
  hooktape events export --from 2026-01-01 --until 2026-02-01 january.parquet
  hooktape events export --columns received_at,name,phone,utm_source --step paid paid.csv
  hooktape events export --verdict accepted - | jq .decoded.email`
}

// exportPage is how many events one query reads. They are streamed, so memory does not limit it. Tests lower it.
var exportPage = 20_000

// Run writes the selected events.
func (c eventsExportCmd) Run(e *env) (err error) {
	if e.flags.APIURL != "" {
		return errors.New("an export reads the database itself; leave out --api-url and run it where the " +
			"configuration is")
	}
	format, err := c.format()
	if err != nil {
		return err
	}
	sel, err := c.selection(e, time.Now())
	if err != nil {
		return err
	}
	db, cfg, err := e.openTables()
	if err != nil {
		return err
	}
	defer db.Close()
	sel.UndeliveredTo = replay.TargetName(sel.UndeliveredTo)
	sel.FailedAt = replay.TargetName(sel.FailedAt)
	if err := service(db, cfg).CheckEndpoints(e.ctx, sel.UndeliveredTo, sel.FailedAt); err != nil {
		return err
	}
	total, err := db.CountEvents(e.ctx, sel, 0)
	if err != nil {
		return err
	}
	out, commit, discard, err := c.output(e)
	if err != nil {
		return err
	}
	defer discard()
	s := newStatus(e)
	n, err := c.write(e, db, sel, format, out, func(n uint64) {
		s.show(func() string { return progressBar(n, total) + "  " + plural(n, "event") })
	})
	s.clear()
	if err != nil {
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	if c.File != "-" {
		fmt.Fprintf(e.stdout, "%s in %s\n", plural(n, "event"), safe(c.File))
	}
	return nil
}

// output opens the file or stdout. commit completes the file; discard removes it unless it is complete.
func (c eventsExportCmd) output(e *env) (out io.Writer, commit func() error, discard func(), err error) {
	if c.File == "-" {
		return e.stdout, func() error { return nil }, func() {}, nil
	}
	file, err := archive.Create(c.File)
	if err != nil {
		return nil, nil, nil, err
	}
	return file, file.Commit, file.Discard, nil
}

// write writes each event once, page by page, and returns their number.
func (c eventsExportCmd) write(e *env, db *store.Store, sel event.Selection, format exportFormat, out io.Writer,
	progress func(n uint64)) (n uint64, err error) {
	columns, err := db.EventColumns(e.ctx)
	if err != nil {
		return 0, err
	}
	buffer := bufio.NewWriterSize(out, 1<<16)
	file, err := format.newFile(buffer, columns)
	if err != nil {
		return 0, err
	}
	var last *store.Cursor
	for more := true; more; {
		rows, err := db.EventRows(e.ctx, sel, last, exportPage)
		if err != nil {
			return n, err
		}
		read := 0
		for ; rows.Next(); read++ {
			place, err := file.read(rows)
			if err != nil {
				rows.Close()
				return n, err
			}
			if last != nil && *last == place {
				continue // stored twice
			}
			last = &place
			if err := file.write(); err != nil {
				rows.Close()
				return n, err
			}
			n++
			progress(n)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return n, err
		}
		more = read == exportPage
	}
	return n, errors.Join(file.close(), buffer.Flush())
}

// format returns the format of --format or, without it, of the file's name.
func (c eventsExportCmd) format() (f exportFormat, err error) {
	f = exportFormat{name: c.Format, columns: c.Columns, mark: c.File != "-"}
	if f.name != "" {
		return f, nil
	}
	switch ext := strings.ToLower(filepath.Ext(c.File)); {
	case c.File == "-":
		f.name = "ndjson"
	case slices.Contains([]string{".ndjson", ".csv", ".parquet"}, ext):
		f.name = ext[1:]
	case ext == ".jsonl":
		f.name = "ndjson"
	default:
		return f, fmt.Errorf("%s: the name must end with .ndjson, .csv or .parquet, or --format must say what to write",
			c.File)
	}
	return f, nil
}
