package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/dashboards"
	"hooktape/internal/simulate"
	"hooktape/test/panels"
)

// queries measures how long the dashboards' queries take over a large account.
type queries struct {
	*account
	until time.Time
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

// boards fills a real engine with a simulated account and runs the queries of each dashboard, two at a time as Grafana
// does, for the last 24 hours, 30 and 90 days. It prints milliseconds and rows read for each panel, and the time of
// each whole dashboard.
func boards(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("dashboards", flag.ContinueOnError)
	until := flags.String("until", "", "end of the ranges, with -dsn (default: the newest event's minute)")
	a, err := openAccount(ctx, flags, args, stdout)
	if err != nil {
		return err
	}
	defer a.Close()
	b := &queries{account: a}
	if *until != "" {
		b.until, err = time.Parse(time.RFC3339, *until)
	} else {
		var newest int
		newest, err = a.db.Number(ctx, "SELECT toUnixTimestamp(max(received_at)) + 60 FROM events")
		b.until = time.Unix(int64(newest), 0).UTC()
	}
	if err != nil {
		return err
	}
	return b.all(ctx)
}

// asked has the figures of a query.
type asked struct {
	took time.Duration
	rows uint64
	err  error
}

// all measures each dashboard for each range and prints the times.
func (b *queries) all(ctx context.Context) error {
	all, err := panels.All()
	if err != nil {
		return err
	}
	w, missed := b.table(), 0
	for len(all) > 0 { // the queries of a dashboard follow each other
		n := slices.IndexFunc(all, func(q panels.Query) bool { return q.Dashboard != all[0].Dashboard })
		if n < 0 {
			n = len(all)
		}
		more, err := b.board(ctx, w, all[0].Dashboard, all[:n])
		if err != nil {
			return err
		}
		missed, all = missed+more, all[n:]
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
func (b *queries) board(ctx context.Context, w io.Writer, board string, queries []panels.Query) (missed int,
	err error) {
	cells := make([][]string, len(queries))
	total := []string{}
	for _, r := range ranges {
		took, each := b.askRounds(ctx, b.view(r.days), queries)
		for i, m := range each {
			if m.err != nil {
				return missed, fmt.Errorf("%s, %s: %w", board, queries[i].Title, m.err)
			}
			cells[i] = append(cells[i], cell(m.took, r.aim*queryAim.Seconds(), &missed), thousands(m.rows))
		}
		total = append(total, cell(took, r.aim*dashboardAim.Seconds(), &missed), "")
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

// cell returns a time in milliseconds, with a mark if it misses the aim in seconds, and counts those.
func cell(took time.Duration, aim float64, missed *int) string {
	if took.Seconds() <= aim {
		return fmt.Sprintf("%d  ", took.Milliseconds())
	}
	*missed++
	return fmt.Sprintf("%d ✗", took.Milliseconds())
}

func thousands(n uint64) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%dk", n/1000)
}

// view returns a time range with the default variables of a dashboard.
func (b *queries) view(days float64) dashboards.View {
	goals, _ := simulate.Steps()
	return dashboards.View{From: b.until.Add(-time.Duration(days * 24 * float64(time.Hour))), To: b.until,
		Interval: time.Duration(days * 24 * float64(time.Hour) / 200), Zone: "Europe/Moscow", Plugin: 4,
		Values: map[string][]string{"source": {simulate.DefaultSources.Course}, "goals": {strings.Join(goals, ",")},
			"window_days": {"7"}, "attribution": {"first"}}}
}

// askRounds runs the queries in several rounds. It returns the median time of a round and of each query. An error in
// any round is the query's error.
func (b *queries) askRounds(ctx context.Context, v dashboards.View, queries []panels.Query) (time.Duration, []asked) {
	totals := make([]time.Duration, rounds)
	each := make([][]asked, len(queries))
	for n := range rounds {
		took, found := b.ask2(ctx, v, queries)
		totals[n] = took
		for i, m := range found {
			each[i] = append(each[i], m)
		}
	}
	slices.Sort(totals)
	middles := make([]asked, len(queries))
	for i, list := range each {
		slices.SortFunc(list, func(a, b asked) int { return cmp.Compare(a.took, b.took) })
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
func (b *queries) ask2(ctx context.Context, v dashboards.View, queries []panels.Query) (time.Duration, []asked) {
	each := make([]asked, len(queries))
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
