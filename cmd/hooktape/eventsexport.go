package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"hooktape/archive"
	"hooktape/event"
	"hooktape/store"
)

type eventsExportCmd struct {
	selectionFlags
	oldTo
	Format string `enum:",ndjson,csv,parquet" default:"" placeholder:"FORMAT" help:"ndjson, csv or parquet (default: what the file's name ends with, else ndjson)."`
	File   string `arg:"" help:"The file to write; - for standard output."`
}

// Help implements kong.HelpProvider.
func (eventsExportCmd) Help() string {
	return `Writes whole events, in order of arrival. The file appears under its name when it is complete, until then as FILE.partial.
In Parquet the body is a column of bytes; in ndjson and csv it stands in body where it is UTF-8, else in body_base64.

  hooktape events export --since 30d --source demo leads.csv
  hooktape events export --from 2026-01-01 --until 2026-02-01 january.parquet
  hooktape events export --verdict accepted - | jq .decoded.email`
}

// exportPage is how many events one query reads. Neither side holds more than a few of them at once.
const exportPage = 20_000

// Run writes the selected events.
func (c eventsExportCmd) Run(e *env) (err error) {
	if e.cli.APIURL != "" {
		return errors.New("an export reads the database itself; leave out --api-url and run it where the configuration is")
	}
	sel, err := c.selection(time.Now())
	if err != nil {
		return err
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
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
	n, err := c.write(e, db, sel, out, func(n uint64) {
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

// output opens what is written to; commit completes it.
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

// write writes the events page by page, each once.
func (c eventsExportCmd) write(e *env, db *store.Store, sel event.Selection, out io.Writer, progress func(n uint64)) (n uint64, err error) {
	columns, err := db.EventColumns(e.ctx)
	if err != nil {
		return 0, err
	}
	buffer := bufio.NewWriterSize(out, 1<<16)
	file, err := newEventFile(c.format(), buffer, columns)
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

func (c eventsExportCmd) format() string {
	if c.Format != "" {
		return c.Format
	}
	switch ext := strings.ToLower(filepath.Ext(c.File)); ext {
	case ".csv", ".parquet":
		return ext[1:]
	}
	return "ndjson"
}
