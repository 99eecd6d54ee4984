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
	return `Without --disk each table becomes a Parquet file, with every byte as it was; "hooktape restore" brings them back into an
empty database. hooktape may run meanwhile. What still waits in the spools (see "hooktape spool stat") is not in it.
Rows that ClickHouse cannot read are named and left out; the exit code is then 2.

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
		fmt.Fprintf(e.stdout, "database %s is backed up as %s on the disk %s\n", db.Database(), safe(c.To), safe(c.Disk))
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
	fmt.Fprintf(e.stdout, "%s of %d tables are in %s: %s, within %v\n", plural(m.Rows(), "row"), len(m.Tables), safe(c.To), humanize.IBytes(bytes), time.Since(begun).Round(100*time.Millisecond))
	for _, f := range m.Tables {
		for _, u := range f.Unreadable {
			fmt.Fprintf(e.stdout, "NOT in it, because ClickHouse cannot read them: rows %d to %d of the part %s of %s\n", u.From, u.To-1, u.Part, f.Table)
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

type restoreCmd struct {
	From   string `arg:"" name:"from" help:"The folder of a backup; with --disk the backup's name on that disk."`
	Disk   string `placeholder:"DISK" help:"Let ClickHouse do it, by RESTORE … FROM Disk."`
	DryRun bool   `help:"Check the backup, to its last byte, and that the database is empty; restore nothing."`
}

// Help implements kong.HelpProvider.
func (restoreCmd) Help() string {
	return `The database must be empty or not there yet; --clickhouse-dsn names another one than the configuration. A backup that is
torn, changed, somebody else's or a newer hooktape's is refused before anything is written.`
}

// Run restores a backup.
func (c restoreCmd) Run(e *env) error {
	if c.Disk != "" && c.DryRun {
		return errors.New("--dry-run cannot look into ClickHouse's own backups")
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Disk != "" {
		if err := archive.Empty(e.ctx, db); err != nil {
			return err
		}
		if err := db.RestoreFromDisk(e.ctx, c.Disk, c.From); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "%s of the disk %s is restored into the database %s\n", safe(c.From), safe(c.Disk), db.Database())
		return nil
	}
	m, err := archive.Check(c.From)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s of %d tables, of %s by hooktape %s,", plural(m.Rows(), "row"), len(m.Tables), local(m.MadeAt), safe(m.Version))
	if c.DryRun {
		if err := archive.Empty(e.ctx, db); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "%s are whole and would be restored into the database %s\n", what, db.Database())
		return nil
	}
	s := newStatus(e)
	err = archive.Restore(e.ctx, db, c.From, m, s.table)
	s.clear()
	if err == nil {
		fmt.Fprintf(e.stdout, "%s are restored into the database %s\n", what, db.Database())
	}
	return err
}
