package main

import (
	"fmt"

	"hooktape/internal/store"
)

type retentionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (retentionCmd) Help() string {
	return `Configured is what stands in the configuration, in force what ClickHouse does; "hooktape migrate" and each
start bring them together. Expired is what is past the retention in force: it goes with the next merges, within hours;
deliveries and replays at their end are removed once a day by the process that delivers. As configured is what would be
past the configured one: look at it before you put a shorter one in force.`
}

// Run prints the configured retention, that in force, and what is expired.
func (c retentionCmd) Run(e *env) error {
	db, cfg, err := e.openTables()
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := db.RetentionReport(e.ctx, cfg.StoreRetention())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, report)
	}
	t := newTable(e.stdout, "WHAT", "SOURCE", "CONFIGURED", "IN FORCE", "ROWS", "OLDEST", "EXPIRED", "AS CONFIGURED")
	differs := false
	for _, k := range report {
		differs = differs || k.Configured != k.InForce
		t.row(k.What, sourceOf(k), k.Configured, k.InForce, fmt.Sprint(k.Rows), local(k.Oldest), fmt.Sprint(k.Expired),
			fmt.Sprint(k.ExpiredAsConfigured))
	}
	if err := t.end(); err != nil {
		return err
	}
	if differs {
		fmt.Fprintln(e.stderr,
			"\nWhat is configured is not yet in force; `hooktape migrate` or the next start puts it in force.")
	}
	return nil
}

func sourceOf(k store.RetentionStatus) string {
	if k.NotAccepted {
		return "(rejected)"
	}
	return orDash(k.Source)
}
