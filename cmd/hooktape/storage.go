package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"hooktape/internal/store"
)

type storageCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// storageReport has the sizes of everything.
type storageReport struct {
	Tables  []store.TableStorage  `json:"tables"`
	Sources []store.SourceStorage `json:"sources"`
	Spools  []spoolSize           `json:"spools"` // of this machine
}

type spoolSize struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"`
}

// Run prints the sizes of tables, sources and spools.
func (c storageCmd) Run(e *env) error {
	db, _, err := e.openTables()
	if err != nil {
		return err
	}
	defer db.Close()
	var r storageReport
	if r.Tables, err = db.StorageReport(e.ctx); err != nil {
		return err
	}
	if r.Sources, err = db.StorageBySource(e.ctx); err != nil {
		return err
	}
	if r.Spools, err = spoolSizes(e.data().Spools()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, r)
	}
	return r.print(e.stdout)
}

func (r storageReport) print(w io.Writer) error {
	t := newTable(w, "TABLE", "ROWS", "ON DISK", "UNCOMPRESSED", "RATIO", "OLDEST", "NEWEST")
	var all store.TableStorage
	for _, s := range r.Tables {
		t.row(s.Table, fmt.Sprint(s.Rows), humanize.IBytes(s.Bytes), humanize.IBytes(s.Uncompressed), ratio(s),
			local(s.Oldest), local(s.Newest))
		all.Rows += s.Rows
		all.Bytes += s.Bytes
		all.Compressed += s.Compressed
		all.Uncompressed += s.Uncompressed
	}
	t.row("all", fmt.Sprint(all.Rows), humanize.IBytes(all.Bytes), humanize.IBytes(all.Uncompressed), ratio(all), "",
		"")
	if err := t.end(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "SOURCE", "EVENTS", "NOT ACCEPTED", "BODIES", "OLDEST", "NEWEST")
	for _, s := range r.Sources {
		name := s.Source
		if name == "" {
			name = "(unknown)"
		}
		t.row(name, fmt.Sprint(s.Events), fmt.Sprint(s.Rejected), humanize.IBytes(s.BodyBytes), local(s.Oldest),
			local(s.Newest))
	}
	if err := t.end(); err != nil || len(r.Spools) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "SPOOL HERE", "ON DISK")
	for _, s := range r.Spools {
		t.row(s.Name, humanize.IBytes(s.Bytes))
	}
	return t.end()
}

func ratio(s store.TableStorage) string {
	if s.Compressed == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(s.Uncompressed)/float64(s.Compressed))
}

// spoolSizes are the sizes of the spools in a directory, those set aside for damage among them. A running hooktape
// removes files meanwhile.
func spoolSizes(dir string) ([]spoolSize, error) {
	sizes := []spoolSize{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return sizes, nil
	}
	for _, entry := range entries {
		size := spoolSize{Name: entry.Name()}
		err := filepath.WalkDir(filepath.Join(dir, entry.Name()), func(_ string, d fs.DirEntry, err error) error {
			if info, gone := infoOf(d, err); !gone && info.Mode().IsRegular() {
				size.Bytes += uint64(info.Size())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, size)
	}
	return sizes, err
}

func infoOf(d fs.DirEntry, err error) (info fs.FileInfo, gone bool) {
	if err == nil {
		info, err = d.Info()
	}
	return info, err != nil
}
