package main

import (
	"errors"
	"fmt"

	"hooktape/internal/archive"
)

type restoreCmd struct {
	From   string `arg:"" name:"from" help:"The folder of a backup; with --disk the backup's name on that disk."`
	Disk   string `placeholder:"DISK" help:"Let ClickHouse do it, by RESTORE … FROM Disk."`
	DryRun bool   `help:"Check the backup, to its last byte, and that the database is empty; restore nothing."`
}

// Help implements kong.HelpProvider.
func (restoreCmd) Help() string {
	return `The database must be empty or not there yet; --clickhouse-dsn names another one than the configuration. A
backup that is torn, changed, somebody else's or a newer hooktape's is refused before anything is written.`
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
		fmt.Fprintf(e.stdout, "%s of the disk %s is restored into the database %s\n", safe(c.From), safe(c.Disk),
			db.Database())
		return nil
	}
	m, err := archive.Check(c.From)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s of %d tables, of %s by hooktape %s,", plural(m.Rows(), "row"), len(m.Tables),
		local(m.MadeAt), safe(m.Version))
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
