package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"hooktape/web/api"
)

type replayDiffCmd struct {
	replayRef
	Against string `placeholder:"ENDPOINT" help:"Compare with the last answers from this endpoint (default: the replay's own, before it)."`
	Limit   int    `default:"20" placeholder:"N" help:"Show at most N events that were answered differently."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (replayDiffCmd) Help() string {
	return `Would the new version have answered the same?

  hooktape replay create --since 1d --mode all --to https://v2.example.org/hook
  hooktape replay diff ID --against crm`
}

// Run compares a replay's answers with others.
func (c replayDiffCmd) Run(e *env) error {
	if c.Limit < 0 || c.Limit > 1000 {
		return errors.New("--limit must lie between 0 and 1000")
	}
	return show(e, c.JSON, func(b backend) (api.Diff, error) {
		id, err := c.of(e, b)
		if err != nil {
			return api.Diff{}, err
		}
		return b.Diff(e.ctx, id, c.Against, c.Limit)
	}, func(diff api.Diff) error { return printDiff(e.stdout, diff) })
}

func printDiff(w io.Writer, diff api.Diff) error {
	totals := newTable(w, "ANSWERED", "EVENTS")
	different := uint64(0)
	for i, row := range []struct {
		what string
		n    uint64
	}{
		{"the same", diff.Same},
		{"with another status", diff.DifferentStatus},
		{"with another body", diff.DifferentBody},
		{"here alone", diff.OnlyHere},
		{"there alone", diff.OnlyThere},
		{"nowhere", diff.Neither},
	} {
		totals.row(row.what, fmt.Sprint(row.n))
		if i > 0 && i < 5 {
			different += row.n
		}
	}
	if err := totals.end(); err != nil {
		return err
	}
	if diff.Same+diff.DifferentStatus+diff.DifferentBody > 0 {
		fmt.Fprintf(w, "\nhalf of the answers within %s here, %s there; 95 of 100 within %s here, %s there\n",
			millis(diff.Here.P50MS), millis(diff.There.P50MS), millis(diff.Here.P95MS), millis(diff.There.P95MS))
	}
	if len(diff.Rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows := newTable(w, "EVENT", "DIFFERS", "HERE", "TOOK", "ANSWER", "THERE", "TOOK", "ANSWER")
	for _, r := range diff.Rows {
		cells := []string{r.EventID.String(), strings.Join(r.Differs, ", ")}
		rows.row(slices.Concat(cells, answerCells(r.Here), answerCells(r.There))...)
	}
	if err := rows.end(); err != nil {
		return err
	}
	if n := uint64(len(diff.Rows)); n < different {
		fmt.Fprintf(w, "and %d more; --limit shows them\n", different-n)
	}
	return nil
}

// answerCells are the status, time and beginning of the body of an answer.
func answerCells(a *api.Attempt) []string {
	if a == nil {
		return []string{"-", "-", "-"}
	}
	status := string(a.Outcome)
	if a.StatusCode != 0 {
		status = statusText(a.StatusCode)
	}
	return []string{status, millis(a.DurationMS), orDash(head(string(a.Response()), 40))}
}

// head is the beginning of a text, whole characters of it.
func head(text string, most int) string {
	for i := range text {
		if most--; most < 0 {
			return text[:i] + "…"
		}
	}
	return text
}
