package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

type doctorCmd struct {
	GrafanaURL       string `name:"grafana-url" env:"GRAFANA_URL" placeholder:"URL" help:"Look at this Grafana as well."`
	GrafanaTokenFile string `env:"GRAFANA_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token of a service account of it (default: $GRAFANA_TOKEN)."`
	Deep             bool   `help:"Read all that is in ClickHouse as well, and compare its checksums, which takes as long as reading it does."`
	JSON             bool   `name:"json" help:"Print JSON."`
}

// Help is shown below the flags.
func (doctorCmd) Help() string {
	return `Whether hooktape runs or not: run it as the user that hooktape runs as, with the same configuration and environment. It changes
nothing. ✓ is well, ! is to be known, ✗ is to be mended; each of the last two says what to do. The exit code is 0 without a ✗,
and 2 with one.

Among what is to be mended: hooktape does not run, an endpoint fails (its breaker is open), or deliveries wait for an hour or are
more than 10,000. An endpoint that somebody has paused is to be known, whatever waits for it.`
}

// verdict is what a finding is worth.
type verdict string

const (
	well    verdict = "ok"
	notice  verdict = "warning"
	problem verdict = "problem"
)

var marks = map[verdict]string{well: "✓", notice: "!", problem: "✗"}

// finding is a line of the list.
type finding struct {
	Check  string  `json:"check"`
	Result verdict `json:"result"`
	Says   string  `json:"says"`
	Do     string  `json:"do,omitempty"` // what a person can do about it
}

func ok(format string, args ...any) finding {
	return finding{Result: well, Says: fmt.Sprintf(format, args...)}
}

func warn(do, format string, args ...any) finding {
	return finding{Result: notice, Says: fmt.Sprintf(format, args...), Do: do}
}

func bad(do, format string, args ...any) finding {
	return finding{Result: problem, Says: fmt.Sprintf(format, args...), Do: do}
}

// examination is one thing to look at. It may find nothing to say.
type examination struct {
	name string
	look func(context.Context) []finding
}

// examineTime is how long each may take; they go at once.
const examineTime = 8 * time.Second

// Run looks at all and says it.
func (c doctorCmd) Run(e *env) error {
	findings := examine(e.ctx, c.examinations(e))
	if cfg, err := e.config(); c.Deep && err == nil {
		for _, f := range (&doctor{e, cfg}).deep(e.ctx) {
			f.Check = "data"
			findings = append(findings, f)
		}
	}
	sick := false
	for _, f := range findings {
		sick = sick || f.Result == problem
	}
	if c.JSON {
		if err := printJSON(e.stdout, map[string]any{"ok": !sick, "checks": findings}); err != nil {
			return err
		}
	} else {
		printFindings(e.stdout, findings)
	}
	if sick {
		return exitFailed
	}
	return nil
}

// examinations are all that the configuration allows. A wrong one is all there is to say.
func (c doctorCmd) examinations(e *env) []examination {
	cfg, err := e.config()
	if err != nil {
		return []examination{{"configuration", func(context.Context) []finding { return wrongConfig(err) }}}
	}
	d := &doctor{e, cfg}
	list := []examination{
		{"configuration", d.configuration}, {"data directory", d.directory}, {"data directory", d.private}, {"disk", d.disk}, {"spool", d.spools},
		{"listeners", d.listeners}, {"hook URL", d.publicURL}, {"TLS certificate", d.certificates}, {"ClickHouse", d.clickhouse}, {"deliveries", d.deliveries},
	}
	for _, endpoint := range cfg.endpoints() {
		list = append(list, examination{"endpoint " + endpoint.Name, func(ctx context.Context) []finding { return d.endpoint(ctx, endpoint) }})
	}
	return append(list, examination{"Grafana", func(ctx context.Context) []finding { return c.grafana(ctx) }}, examination{"collector", collector})
}

// doctor is what examinations look at.
type doctor struct {
	*env
	cfg *config
}

// examine makes all examinations at once. One that does not keep its time is left behind, and said.
func examine(ctx context.Context, list []examination) (findings []finding) {
	all := make([][]finding, len(list))
	var working sync.WaitGroup
	for n, x := range list {
		working.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, examineTime)
			defer cancel()
			found := make(chan []finding, 1)
			go func() { found <- x.look(ctx) }()
			select {
			case all[n] = <-found:
			case <-time.After(examineTime + time.Second):
				all[n] = []finding{bad("look whether a disk or a network file system hangs", "no result within %v", examineTime)}
			}
		})
	}
	working.Wait()
	for n, x := range list {
		for _, f := range all[n] {
			f.Check = x.name
			findings = append(findings, f)
		}
	}
	return findings
}

func printFindings(w io.Writer, findings []finding) {
	width := 0
	for _, f := range findings {
		width = max(width, utf8.RuneCountInString(f.Check))
	}
	for _, f := range findings {
		fmt.Fprintf(w, "%s %-*s  %s\n", marks[f.Result], width, safe(f.Check), safe(f.Says))
		if f.Do != "" {
			fmt.Fprintf(w, "%s  → %s\n", strings.Repeat(" ", width+2), safe(f.Do))
		}
	}
}
