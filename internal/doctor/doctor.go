// Package doctor checks whether everything that hooktape needs is in order, whether hooktape runs or not. It changes
// nothing.
package doctor

import (
	"context"
	"sync"
	"time"
)

// check is one thing to check. It may find nothing to report.
type check struct {
	name string
	run  func(context.Context) []Finding
}

// checkTime is how long each check may take; all run at the same time.
const checkTime = 8 * time.Second

// Run makes all checks. If the configuration is invalid, that is all it reports.
func Run(ctx context.Context, o Options) []Finding {
	cfg, _, err := o.File.Load()
	if err != nil {
		return runAll(ctx, []check{{"configuration", func(context.Context) []Finding { return invalidConfig(err) }}})
	}
	d := &doctor{Options: o, cfg: cfg}
	findings := runAll(ctx, d.checks())
	if o.Deep {
		for _, f := range d.data(ctx) {
			f.Check = "data"
			findings = append(findings, f)
		}
	}
	return findings
}

// checks returns the checks that apply to the configuration.
func (d *doctor) checks() []check {
	list := []check{
		{"configuration", d.configuration},
		{"data directory", d.directory},
		{"data directory", d.private},
		{"disk", d.disk},
		{"spool", d.spools},
		{"listeners", d.listeners},
		{"hook URL", d.publicURL},
		{"TLS certificate", d.certificates},
		{"ClickHouse", d.clickhouse},
		{"deliveries", d.deliveries},
	}
	for _, e := range d.cfg.DeliveryEndpoints() {
		examine := func(ctx context.Context) []Finding { return d.endpoint(ctx, e) }
		list = append(list, check{"endpoint " + e.Name, examine})
	}
	return append(list, check{"Grafana", d.grafana}, check{"collector", collector})
}

// runAll runs all checks concurrently. It abandons and reports a check that exceeds its time.
func runAll(ctx context.Context, list []check) (findings []Finding) {
	all := make([][]Finding, len(list))
	var working sync.WaitGroup
	for n, c := range list {
		working.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			found := make(chan []Finding, 1)
			go func() { found <- c.run(ctx) }()
			select {
			case all[n] = <-found:
			case <-time.After(checkTime + time.Second):
				all[n] = []Finding{bad("look whether a disk or a network file system hangs", "no result within %v",
					checkTime)}
			}
		})
	}
	working.Wait()
	for n, c := range list {
		for _, f := range all[n] {
			f.Check = c.name
			findings = append(findings, f)
		}
	}
	return findings
}
