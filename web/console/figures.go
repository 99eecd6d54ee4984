package console

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"hooktape/web/api"
)

// kpi is a figure of the range, compared with the preceding range of the same length.
type kpi struct {
	Name, Help string
	Value      string
	URL        string // the requests behind it
	Change     string // such as "12 %"; empty if it cannot be compared
	Up         bool
	Before     string // the value of the preceding range
	Note       string // why it cannot be compared, if that is worth saying
}

// kpis reads the panel summary: a row for the preceding range, then one for the range.
func (a analysis) kpis(rows []map[string]any, requests *uint64) (list []kpi) {
	if len(rows) != 2 {
		return nil
	}
	before, now := rows[0], rows[1]
	last := len(a.Goals) - 1
	for _, k := range []struct{ name, column, help, url string }{
		{"Leads", "leads", "Subscribers who reached “" + a.Goals[0] + "”", a.people(1)},
		{"With a contact", "with_a_contact", "Leads with an e-mail address or a phone number",
			a.people(1, "contact", "1")},
		{"Converted", "converted", "Leads who reached all goals in order, up to “" + a.Goals[last] + "”",
			a.people(last + 1)},
		{"Conversion rate", "conversion_rate", "Converted leads of all leads", a.people(last + 1)},
	} {
		value, known := figure(now[k.column])
		f := kpi{Name: k.name, Help: k.help, URL: k.url, Value: number(uint64(value))}
		if k.column == "conversion_rate" {
			if f.Value = "–"; known {
				f.Value = percent(value)
			}
		}
		past, comparable := figure(before[k.column])
		switch {
		case before["note"] != "":
			f.Note = fmt.Sprint(before["note"])
		case comparable && known && past > 0:
			f.compare(value, past, k.column == "conversion_rate")
		case comparable && past == 0:
			f.Note = "0 before"
		}
		list = append(list, f)
	}
	all := kpi{Name: "Requests", Help: "Accepted requests of the flow", Value: "–", URL: a.events()}
	if requests != nil {
		all.Value = number(*requests)
	}
	return append(list, all)
}

// compare sets the change from a value of the preceding range: in percent of it or, of a share, in points.
func (f *kpi) compare(value, before float64, share bool) {
	change := 100 * (value - before)
	f.Before = percent(before)
	unit := "points"
	if !share {
		change /= before
		f.Before = number(uint64(before))
		unit = "%"
	}
	f.Up = change > 0
	f.Change = fmt.Sprintf("%.1f %s", math.Abs(change), unit)
	if math.Abs(change) >= 10 {
		f.Change = fmt.Sprintf("%.0f %s", math.Abs(change), unit)
	}
	if strings.HasPrefix(f.Change, "0.0") {
		f.Change = "unchanged"
	}
}

// funnelStep is a goal and the leads who reached it.
type funnelStep struct {
	Step            string
	Leads           uint64
	OfAll, Previous string // shares
	Width           float64
	Took            string // the median time from the previous step
	URL             string
}

func (a analysis) funnel(rows []map[string]any) (list []funnelStep) {
	for i, row := range rows {
		share, _ := figure(row["of_all_leads"])
		s := funnelStep{Step: fmt.Sprint(row["step"]), Leads: uint64Of(row["leads"]),
			OfAll: shareOf(row["of_all_leads"]), Previous: shareOf(row["of_previous_step"]), Width: 100 * share,
			Took: tookOf(row["median_time"])}
		if i < len(a.Goals) && s.Leads > 0 {
			s.URL = a.people(i + 1)
		}
		list = append(list, s)
	}
	return list
}

// figureTable is a panel with a row for each group of leads.
type figureTable struct {
	Panel, Title, Help string
	Tabs               []preset // other panels in its place
	Columns            []figureColumn
	Rows               []figureRow
	More               string // the address with all rows, if some are left out
	Cut                int    // so many rows, those with the most leads, are all that the query returns; 0: it has all
	Wide               bool
}

type figureColumn struct {
	Name, Title string
	Sort        string // the address that sorts by it
	Sorted      string // ascending, descending or empty
	Numeric     bool
}

type figureRow struct {
	Width float64 // the share of the largest row
	Cells []figureCell
}

type figureCell struct {
	Name    string // of the column
	Text    string
	URL     string
	Numeric bool
	Absent  bool // the text stands for an absent one
}

const tagsHelp = "Leads by the tags of their first tagged request, or of the last one with last touch. Choose a " +
	"value to see its leads only."

// maxTagRows is the LIMIT of utm.sql and content.sql.
const maxTagRows = 500

// maxFigureRows limits the rows of a table unless the address asks for all.
const maxFigureRows = 10

// figureTables describes the tables of the page. A column with a filter has values that select leads; columns without
// one are figures.
func (a analysis) figureTables(panels map[string]api.Panel) (list []figureTable) {
	for _, t := range []struct {
		panel, title, help string
		wide               bool
		columns            []tableColumn
	}{
		{"utm", "UTM tags", tagsHelp, true,
			[]tableColumn{{"utm_source", "Source", "utm_source"}, {"utm_medium", "Medium", "utm_medium"},
				{"utm_campaign", "Campaign", "utm_campaign"}}},
		{"content", "UTM tags", tagsHelp, true, []tableColumn{{"utm_content", "Content", "utm_content"},
			{"utm_term", "Term", "utm_term"}}},
		{"channels", "Messengers", "Leads by the messenger of their first request.", false,
			[]tableColumn{{"messenger", "Messenger", "channel"}}},
		{"cohorts", "Weekly cohorts",
			"Leads by the week, from Monday, of their first visit to the first goal, and how many " +
				"have converted since.", false, []tableColumn{{"week_from", "Week from", ""}}},
	} {
		panel := panels[t.panel]
		if len(panel.Rows) == 0 {
			continue
		}
		table := figureTable{Panel: t.panel, Title: t.title, Help: t.help, Wide: t.wide}
		if len(panel.Rows) == maxTagRows {
			table.Cut = maxTagRows
		}
		if t.panel == a.tagsPanel() {
			table.Tabs = []preset{{"Source, medium, campaign", a.with("tags", "", "sort", "all") + "#utm",
				t.panel == "utm"},
				{"Content, term", a.with("tags", "content", "sort", "all") + "#content", t.panel == "content"}}
		}
		columns := slices.Clone(t.columns)
		for _, c := range figureColumns {
			if _, has := panel.Rows[0][c.name]; has {
				columns = append(columns, c)
			}
		}
		rows := slices.Clone(panel.Rows)
		a.sortFigures(t.panel, rows, &table, columns)
		if all := a.query.Get("all") == t.panel; len(rows) > maxFigureRows && !all {
			rows = rows[:maxFigureRows]
			table.More = a.with("all", t.panel) + "#" + t.panel
		}
		most := 0.0
		for _, row := range panel.Rows {
			leads, _ := figure(row["leads"])
			most = max(most, leads)
		}
		for _, row := range rows {
			table.Rows = append(table.Rows, a.figureRow(row, columns, most))
		}
		list = append(list, table)
	}
	return list
}

type tableColumn struct{ name, title, filter string }

// figureColumns are the figures of a group of leads.
var figureColumns = []tableColumn{{"leads", "Leads", ""}, {"with_a_contact", "With a contact", ""},
	{"converted", "Converted", ""}, {"conversion_rate", "Rate", ""}, {"median_time", "Median time", ""}}

// isFigure reports whether the column has numbers.
func (c tableColumn) isFigure() bool { return slices.Contains(figureColumns, c) }

// sortFigures sorts rows as the address says, by PANEL.COLUMN or -PANEL.COLUMN, and describes the columns.
func (a analysis) sortFigures(panel string, rows []map[string]any, table *figureTable, columns []tableColumn) {
	wanted, down := strings.CutPrefix(a.query.Get("sort"), "-")
	for _, c := range columns {
		key := panel + "." + c.name
		column := figureColumn{Name: c.name, Title: c.title, Numeric: c.isFigure()}
		next := key
		if c.isFigure() { // the largest first
			next = "-" + key
		}
		if wanted == key {
			slices.SortStableFunc(rows, func(x, y map[string]any) int {
				if down {
					x, y = y, x
				}
				return compareFigures(x[c.name], y[c.name])
			})
			column.Sorted, next = "ascending", "-"+key
			if down {
				column.Sorted, next = "descending", key
			}
		}
		column.Sort = a.with("sort", next) + "#" + panel
		table.Columns = append(table.Columns, column)
	}
}

func compareFigures(x, y any) int {
	a, aIsNumber := figure(x)
	b, bIsNumber := figure(y)
	if aIsNumber || bIsNumber {
		return cmp.Compare(a, b) // without a value: as 0
	}
	return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
}

func (a analysis) figureRow(row map[string]any, columns []tableColumn, most float64) figureRow {
	leads, _ := figure(row["leads"])
	r := figureRow{Width: 100 * leads / max(most, 1)}
	var pairs []string
	for _, c := range columns {
		if text, ok := row[c.name].(string); ok && c.filter != "" {
			pairs = append(pairs, c.filter, text)
		}
	}
	if week, err := time.Parse(time.DateOnly, fmt.Sprint(row["week_from"])); err == nil {
		begin, _ := api.LocalTimes(week, a.asked.Zone)
		end, _ := api.LocalTimes(week.AddDate(0, 0, 7), a.asked.Zone)
		pairs = append(pairs, leadsWithin(begin, end)...)
	}
	for _, c := range columns {
		cell := figureCell{Name: c.name, Numeric: c.isFigure()}
		text, isText := row[c.name].(string)
		switch {
		case c.filter != "":
			if cell.Text = text; text == "" {
				cell.Text, cell.Absent = none, true
			}
			cell.URL = a.only(c.filter, text)
		case isText:
			cell.Text = text
		case c.name == "conversion_rate":
			cell.Text = shareOf(row[c.name])
		case c.name == "median_time":
			cell.Text = tookOf(row[c.name])
		default:
			n := uint64Of(row[c.name])
			cell.Text = number(n)
			switch {
			case n == 0:
			case c.name == "leads":
				cell.URL = a.people(1, pairs...)
			case c.name == "with_a_contact":
				cell.URL = a.people(1, append(pairs, "contact", "1")...)
			case c.name == "converted":
				cell.URL = a.people(len(a.Goals), pairs...)
			}
		}
		r.Cells = append(r.Cells, cell)
	}
	return r
}

// figure returns a number of a panel.
func figure(value any) (f float64, ok bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

func uint64Of(value any) uint64 {
	f, _ := figure(value)
	return uint64(f)
}

// shareOf formats a share, "–" without one.
func shareOf(value any) string {
	if share, ok := figure(value); ok {
		return percent(share)
	}
	return "–"
}

// tookOf formats a time in minutes, "–" without one.
func tookOf(value any) string {
	if minutes, ok := figure(value); ok {
		return span(time.Duration(minutes * float64(time.Minute)))
	}
	return "–"
}
