package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"hooktape/test/harness"
)

// traceTables are created by hooktape's migrations, and by the collector if they do not exist.
var traceTables = []string{"otel_traces", "otel_traces_trace_id_ts", "otel_traces_trace_id_ts_mv"}

// forgetting matches the retention of a table, which may differ.
var forgetting = regexp.MustCompile(`(?m)^TTL .*\n`)

// sameTables compares the tables of the collector with those of the migrations, each created in its own engine:
// columns, types, codecs, indexes, order, partitions and settings.
func (t *trial) sameTables(ctx context.Context) error {
	engine, err := t.harness.NewEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	dir, err := t.harness.NewDir("collector")
	if err != nil {
		return err
	}
	c, err := t.startCollector(ctx, engine.DSN(""), dir, "")
	if err != nil {
		return err
	}
	collectors, err := tablesOf(ctx, harness.Database(engine.DSN("hooktape")))
	c.Kill()
	if err != nil {
		return err
	}
	// The same database name, because ClickHouse repeats it in the statements of the tables.
	if _, err := harness.Database(engine.DSN("default")).Text(ctx, "DROP DATABASE hooktape SYNC"); err != nil {
		return err
	}
	if err := harness.Migrate(ctx, engine.DSN("hooktape")); err != nil {
		return err
	}
	ours, err := tablesOf(ctx, harness.Database(engine.DSN("hooktape")))
	if err != nil {
		return err
	}
	var different []error
	for _, table := range traceTables {
		if ours[table] != collectors[table] {
			different = append(different, fmt.Errorf("hooktape creates\n%s\nthe collector creates\n%s", ours[table],
				collectors[table]))
		}
	}
	if different == nil {
		t.say("the tables of traces are the same, whoever makes them")
	}
	return errors.Join(different...)
}

func tablesOf(ctx context.Context, d harness.Database) (map[string]string, error) {
	tables := map[string]string{}
	for _, table := range traceTables {
		text, err := d.Text(ctx, "SHOW CREATE TABLE "+table)
		if err != nil {
			return nil, err
		}
		tables[table] = forgetting.ReplaceAllString(text, "")
	}
	return tables, nil
}
