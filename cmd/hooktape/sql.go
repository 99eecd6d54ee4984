package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"hooktape/internal/store"
)

type sqlCmd struct {
	Statement string `arg:"" optional:"" help:"The statement; without it, that of --file or of standard input."`
	File      string `short:"f" type:"path" placeholder:"FILE" help:"File with the statement."`
	Write     bool   `help:"Let the statement change data."`
	Format    string `placeholder:"FORMAT" help:"Format of the result, if the statement names none (default: PrettyCompact on a terminal, else TabSeparated)."`
}

// Help is shown below the flags.
func (sqlCmd) Help() string {
	return `Examples:

  hooktape sql "SELECT step, uniq(bothelp_user_id) AS people FROM events WHERE verdict = 'accepted' GROUP BY ALL"
  hooktape sql --format CSVWithNames -f report.sql > report.csv
  echo "SELECT * FROM deliveries LIMIT 10 FORMAT Vertical" | hooktape sql

Without --write the statement cannot change anything: the embedded engine runs it as its user "reader", a server as the
DSN's user, read-only.`
}

// Run asks, and prints the result as it comes.
func (c sqlCmd) Run(e *env) error {
	statement, err := c.statement()
	if err != nil {
		return err
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	dsn := cfg.ReaderDSN()
	if c.Write {
		dsn = cfg.DSN()
	}
	db, err := store.Open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := e.awaitFirstTables(db); err != nil {
		return err
	}
	format := c.Format
	if format == "" && isTerminal(e.stdout) {
		format = "PrettyCompact"
	} else if format == "" {
		format = "TabSeparated"
	}
	return db.RunSQL(e.ctx, e.stdout, store.Statement{SQL: statement, Format: format, Write: c.Write})
}

func (c sqlCmd) statement() (string, error) {
	if c.Statement != "" && c.File != "" {
		return "", errors.New("there are two statements: give one, or --file")
	}
	if c.Statement != "" {
		return c.Statement, nil
	}
	if c.File != "" {
		text, err := os.ReadFile(c.File)
		if err != nil {
			return "", fmt.Errorf("--file: %w", err)
		}
		return string(text), nil
	}
	if isTerminal(os.Stdin) {
		return "", errors.New(`there is no statement: hooktape sql "SELECT …"`)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", fmt.Errorf("read the statement: %w", err)
	}
	return string(text), nil
}
