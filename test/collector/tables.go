package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"hooktape/test/harness"
)

// traceTables are made by hooktape's migrations and, where there are none, by the collector.
var traceTables = []string{"otel_traces", "otel_traces_trace_id_ts", "otel_traces_trace_id_ts_mv"}

// forgetting is what may differ: how long each keeps its rows.
var forgetting = regexp.MustCompile(`(?m)^TTL .*\n`)

// sameTables lets the collector and the migrations each make tables in an engine of their own, and compares what
// ClickHouse says they are: columns, types, codecs, indexes, order, partitions and settings.
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
	// The same name in the same engine, for it stands in the tables' own words.
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
			different = append(different, fmt.Errorf("hooktape makes\n%s\nand the collector\n%s", ours[table], collectors[table]))
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
