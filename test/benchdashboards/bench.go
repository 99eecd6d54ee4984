package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/dashboards"
	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/panels"
)

// bench runs the queries on a database.
type bench struct {
	out     io.Writer
	db      harness.Database
	until   time.Time
	queries []panels.Query
}

// The aims for a query and for a whole dashboard, for 30 days, and the factor for 90 days.
const (
	queryAim     = time.Second
	dashboardAim = 4 * time.Second
	longerAim    = 2.5
)

// rounds is the number of measurements of each dashboard. The medians count.
const rounds = 3

// ranges are the time ranges in days, with the factor of their aims.
var ranges = []struct{ days, aim float64 }{{1, 1}, {30, 1}, {90, longerAim}}

func newBench(ctx context.Context, out io.Writer, dsn, until string) (*bench, error) {
	queries, err := panels.All()
	if err != nil {
		return nil, err
	}
	b := &bench{out: out, db: harness.Database(dsn), queries: queries}
	if until != "" {
		b.until, err = time.Parse(time.RFC3339, until)
		return b, err
	}
	newest, err := b.db.Number(ctx, "SELECT toUnixTimestamp(max(received_at)) + 60 FROM events")
	b.until = time.Unix(int64(newest), 0).UTC()
	return b, err
}

// measured has the figures of a query.
type measured struct {
	took time.Duration
	rows uint64
	err  error
}

// all measures each dashboard for each range and prints the times.
func (b *bench) all(ctx context.Context) error {
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	missed := 0
	var boards []string
	for _, q := range b.queries {
		if !slices.Contains(boards, q.Dashboard) {
			boards = append(boards, q.Dashboard)
		}
	}
	for _, board := range boards {
		var queries []panels.Query
		for _, q := range b.queries {
			if q.Dashboard == board {
				queries = append(queries, q)
			}
		}
		n, err := b.board(ctx, w, board, queries)
		if err != nil {
			return err
		}
		missed += n
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(b.out,
		"\nmedians of %d; aims: each query ≤ %v and a dashboard ≤ %v for 30 days, ≤ %v times that for 90 days; %d "+
			"not reached (✗)\n", rounds, queryAim, dashboardAim, longerAim, missed)
	return nil
}

// board measures one dashboard and prints a line for each query and one for all.
func (b *bench) board(ctx context.Context, w io.Writer, board string, queries []panels.Query) (missed int, err error) {
	cells := make([][]string, len(queries))
	total := []string{}
	for _, r := range ranges {
		took, each := b.askRounds(ctx, b.view(r.days), queries)
		for i, m := range each {
			if m.err != nil {
				return missed, fmt.Errorf("%s, %s: %w", board, queries[i].Title, m.err)
			}
			ok := m.took.Seconds() <= r.aim*queryAim.Seconds()
			missed += unless(ok)
			cells[i] = append(cells[i], fmt.Sprintf("%d%s", m.took.Milliseconds(), mark(ok)), thousands(m.rows))
		}
		ok := took.Seconds() <= r.aim*dashboardAim.Seconds()
		missed += unless(ok)
		total = append(total, fmt.Sprintf("%d%s", took.Milliseconds(), mark(ok)), "")
	}
	fmt.Fprintf(w, "\n%s\t24 h, ms\trows read\t30 days, ms\trows read\t90 days, ms\trows read\t\n", board)
	for i, q := range queries {
		title := q.Title
		if q.Variable {
			title = "$" + title
		}
		fmt.Fprintf(w, "%s\t%s\t\n", title, strings.Join(cells[i], "\t"))
	}
	fmt.Fprintf(w, "the dashboard, two at a time\t%s\t\n", strings.Join(total, "\t"))
	return missed, nil
}

func mark(ok bool) string {
	if ok {
		return "  "
	}
	return " ✗"
}

func unless(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

func thousands(n uint64) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%dk", n/1000)
}

// view returns a time range with the default variables of a dashboard.
func (b *bench) view(days float64) dashboards.View {
	goals, _ := simulate.Steps()
	return dashboards.View{From: b.until.Add(-time.Duration(days * 24 * float64(time.Hour))), To: b.until,
		Interval: time.Duration(days * 24 * float64(time.Hour) / 200), Zone: "Europe/Moscow", Plugin: 4,
		Values: map[string][]string{"source": {simulate.DefaultSources.Course}, "goals": {strings.Join(goals, ",")},
			"window_days": {"7"}, "attribution": {"first"}}}
}

// askRounds runs the queries in several rounds. It returns the median time of a round and of each query. An error in
// any round is the query's error.
func (b *bench) askRounds(ctx context.Context, v dashboards.View, queries []panels.Query) (time.Duration, []measured) {
	totals := make([]time.Duration, rounds)
	each := make([][]measured, len(queries))
	for n := range rounds {
		took, found := b.ask2(ctx, v, queries)
		totals[n] = took
		for i, m := range found {
			each[i] = append(each[i], m)
		}
	}
	slices.Sort(totals)
	middles := make([]measured, len(queries))
	for i, list := range each {
		slices.SortFunc(list, func(a, b measured) int { return cmp.Compare(a.took, b.took) })
		middles[i] = list[rounds/2]
		for _, m := range list {
			if m.err != nil {
				middles[i].err = m.err
			}
		}
	}
	return totals[rounds/2], middles
}

// ask2 runs the queries two at a time, as Grafana does.
func (b *bench) ask2(ctx context.Context, v dashboards.View, queries []panels.Query) (time.Duration, []measured) {
	each := make([]measured, len(queries))
	begun := time.Now()
	var group errgroup.Group
	group.SetLimit(2)
	for i, q := range queries {
		group.Go(func() error {
			sql, err := v.Expand(q.SQL)
			if err == nil {
				at := time.Now()
				_, each[i].rows, err = b.db.Ask(ctx, "Null", sql)
				each[i].took = time.Since(at)
			}
			each[i].err = err
			return nil
		})
	}
	_ = group.Wait()
	return time.Since(begun), each
}
