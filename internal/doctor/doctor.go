// Package doctor checks whether everything that hooktape needs is in order, whether hooktape runs or not. It changes
// nothing.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hooktape/internal/config"
)

// Options say what to check.
type Options struct {
	File config.File
	// GrafanaURL is the address of a Grafana to check too, or empty. Its token is in GrafanaTokenFile or, if that is
	// empty, in the environment variable GRAFANA_TOKEN.
	GrafanaURL       string
	GrafanaTokenFile string
	// Deep reads everything in ClickHouse and compares checksums. Progress, which may be nil, is called meanwhile with
	// the table and the bytes read of all tables.
	Deep     bool
	Progress func(table string, done, total uint64)
}

// Result is how serious a finding is.
type Result string

// The results. A problem must be fixed; a warning should be known.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Problem Result = "problem"
)

// Finding is one result of a check.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Says   string `json:"says"`
	Do     string `json:"do,omitempty"` // how to fix it; empty if the result is OK
}

func ok(format string, args ...any) Finding {
	return Finding{Result: OK, Says: fmt.Sprintf(format, args...)}
}

func warn(do, format string, args ...any) Finding {
	return Finding{Result: Warning, Says: fmt.Sprintf(format, args...), Do: do}
}

func bad(do, format string, args ...any) Finding {
	return Finding{Result: Problem, Says: fmt.Sprintf(format, args...), Do: do}
}

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

// doctor has the subjects of the checks.
type doctor struct {
	Options
	cfg *config.Config
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
