package doctor

import (
	"fmt"

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

// doctor has the subjects of the checks.
type doctor struct {
	Options
	cfg *config.Config
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
