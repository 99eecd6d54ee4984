package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"hooktape/internal/archive"
)

type backupCmd struct {
	To   string `arg:"" name:"to" help:"A new folder; with --disk the backup's name on that disk, such as monday.zip."`
	Disk string `placeholder:"DISK" help:"Let ClickHouse do it, by BACKUP … TO Disk: a disk that its configuration allows backups on."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (backupCmd) Help() string {
	return `Without --disk each table becomes a Parquet file, with every byte as it was; "hooktape restore" brings them
back into an empty database. hooktape may run meanwhile. What still waits in the spools (see "hooktape spool stat") is
not in it. Rows that ClickHouse cannot read are named and left out; the exit code is then 2.

  hooktape backup /backup/hooktape-monday
  hooktape backup --disk backups monday.zip`
}

// Run backs everything up.
func (c backupCmd) Run(e *env) error {
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := e.awaitFirstTables(db); err != nil {
		return err
	}
	if c.Disk != "" {
		if err := db.BackupToDisk(e.ctx, c.Disk, c.To); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "database %s is backed up as %s on the disk %s\n", db.Database(), safe(c.To),
			safe(c.Disk))
		return nil
	}
	begun, s := time.Now(), newStatus(e)
	m, err := archive.Backup(e.ctx, db, c.To, buildVersion(), s.table)
	s.clear()
	switch {
	case err != nil:
		return err
	case c.JSON:
		return errors.Join(printJSON(e.stdout, m), incomplete(m))
	}
	var bytes uint64
	for _, f := range m.Tables {
		bytes += uint64(f.Bytes)
	}
	fmt.Fprintf(e.stdout, "%s of %d tables are in %s: %s, within %v\n", plural(m.Rows(), "row"), len(m.Tables),
		safe(c.To), humanize.IBytes(bytes), time.Since(begun).Round(100*time.Millisecond))
	for _, f := range m.Tables {
		for _, u := range f.Unreadable {
			fmt.Fprintf(e.stdout,
				"NOT in it, because ClickHouse cannot read them: rows %d to %d of the part %s of %s\n", u.From, u.To-1,
				u.Part, f.Table)
		}
	}
	return incomplete(m)
}

// incomplete returns exitFailed for a backup that lacks rows.
func incomplete(m archive.Manifest) error {
	for _, f := range m.Tables {
		if len(f.Unreadable) > 0 {
			return exitFailed
		}
	}
	return nil
}

// table shows the progress of a table.
func (s *status) table(table string, done, total uint64) {
	s.show(func() string { return progressBar(done, total) + "  " + table + ", " + plural(done, "row") })
}
