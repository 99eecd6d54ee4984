package console

import (
	"fmt"
	"slices"
	"time"

	"hooktape/web/api"
)

// chart is the number of selected events over time.
type chart struct {
	Total, Rejected uint64
	From, To        moment
	Bars            []bar
	RejectedURL     string // the list of the rejected ones
	Base            string // the address to which a dragged range adds from and until
	Width           string // the interval of a bar, in words
	Intervals       int
}

type bar struct {
	X, Y, Height, RejectedHeight float64
	Title                        string
}

// chartHeight and barStep are in units of the drawing.
const (
	chartHeight = 48.0
	barStep     = 10.0
	maxBars     = 120
)

// intervals are the possible intervals of a bar.
var intervals = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
	5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}

func intervalFor(d time.Duration) time.Duration {
	for _, interval := range intervals {
		if d <= interval*(maxBars+1) {
			return interval
		}
	}
	return d/maxBars + time.Microsecond
}

func (v *visit) chart(f filters) (*chart, error) {
	from, until := f.From, v.now.Add(time.Second)
	if f.Until != nil {
		until = *f.Until
	}
	if from == nil {
		first, err := v.direct.FirstEvent(v.Context())
		if err != nil {
			return nil, err
		}
		if first.IsZero() || !first.Before(until) {
			first = until.Add(-time.Hour)
		}
		from = &first
	}
	interval := intervalFor(until.Sub(*from))
	bars, err := v.direct.Histogram(v.Context(), f.Selection, *from, until, interval)
	if err != nil {
		return nil, err
	}
	c := &chart{From: v.at(*from), To: v.at(until), Base: link("/", f.without(timeFilters...)), Width: span(interval),
		RejectedURL: "/?" + f.with("rejected", "true"),
		Intervals:   int((until.Sub(*from)-1)/interval) + 1}
	most := uint64(1)
	for _, b := range bars {
		c.Total += b.Events
		c.Rejected += b.Refused
		most = max(most, b.Events)
	}
	for _, b := range bars {
		height := max(chartHeight*float64(b.Events)/float64(most), 1.5)
		c.Bars = append(c.Bars, bar{X: barStep * float64(b.At.Sub(*from)/interval), Y: chartHeight - height,
			Height: height, RejectedHeight: height * float64(b.Refused) / float64(b.Events),
			Title: fmt.Sprintf("%s, %s: %s, %d rejected", clock(b.At.In(v.zone), time.DateTime), c.Width,
				count(b.Events, "event"), b.Refused)})
	}
	return c, nil
}

// RejectedY returns the top of the part for rejected events.
func (b bar) RejectedY() float64 { return chartHeight - b.RejectedHeight }

// ViewBox returns the size of the drawing.
func (c *chart) ViewBox() string {
	return fmt.Sprintf("0 0 %g %g", barStep*float64(c.Intervals), chartHeight)
}

func showChart(v *visit) error {
	f, err := v.filters()
	if err != nil {
		return err
	}
	c, err := v.chart(f)
	if err != nil {
		return err
	}
	if !v.partial() {
		return v.redirect("/?" + f.with("chart", "1"))
	}
	return v.part("events", "counted", c)
}

// leadsChart has a bar for each day, or for each hour of a short range, with the leads of which a part has converted.
type leadsChart struct {
	Bars  []leadsBar
	Top   uint64   // the value at the top
	Marks []string // times below the chart, evenly spaced
	Each  bool     // each bar has a mark
}

type leadsBar struct {
	X, Y, Height, ConvertedHeight float64
	At                            string
	Leads, Converted              uint64
	Rate, URL, ConvertedURL       string
}

// leadsHeight is in units of the drawing; a bar and the gap after it are barStep wide.
const (
	leadsHeight = 100.0
	maxMarks    = 5
	maxEach     = 10
)

// leadsChart draws the panel over_time, whose rows lack the days without leads.
func (a analysis) leadsChart(rows []map[string]any) *leadsChart {
	c := &leadsChart{}
	format, brief, starts, label := "Mon, 2 Jan 2006", "2 Jan", a.days(), time.Time.Format
	if a.asked.Until.Sub(*a.asked.From) <= 72*time.Hour { // as over_time.sql decides
		format, brief, starts, label = "Mon, 2 Jan, 15:04", "2 Jan 15:04", a.hours(), clock
	}
	c.Bars = make([]leadsBar, len(starts))
	for _, row := range rows {
		t, _ := row["time"].(time.Time)
		i, begins := slices.BinarySearchFunc(starts, t, time.Time.Compare)
		if !begins { // after a change of the clocks, ClickHouse's hour may begin within a bar
			i--
		}
		if i >= 0 {
			c.Bars[i].Leads += uint64Of(row["leads"])
			c.Bars[i].Converted += uint64Of(row["converted"])
			c.Top = max(c.Top, c.Bars[i].Leads)
		}
	}
	c.Top = niceTop(c.Top)
	var marks []string
	for i, at := range starts {
		marks = append(marks, label(at, brief))
		b := &c.Bars[i]
		b.X, b.At = barStep*float64(i), label(at, format)
		b.Height = leadsHeight * float64(b.Leads) / float64(c.Top)
		b.Y = leadsHeight - b.Height
		b.ConvertedHeight = leadsHeight * float64(b.Converted) / float64(c.Top)
		if b.Leads == 0 {
			continue
		}
		b.Rate = percent(float64(b.Converted) / float64(b.Leads))
		end := a.asked.Until.Add(time.Microsecond)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		b.URL = a.people(1, leadsWithin(at, end)...)
		if b.Converted > 0 {
			b.ConvertedURL = a.people(len(a.Goals), leadsWithin(at, end)...)
		}
	}
	if c.Each = len(marks) <= maxEach; c.Each {
		c.Marks = marks
		return c
	}
	for i := range maxMarks {
		c.Marks = append(c.Marks, marks[i*(len(marks)-1)/(maxMarks-1)])
	}
	return c
}

// days returns the beginnings of the days of the range in its time zone. Where clocks skip midnight, the day begins
// when they are set.
func (a analysis) days() (starts []time.Time) {
	from := a.asked.From.In(a.asked.Zone)
	day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	for ; ; day = day.AddDate(0, 0, 1) {
		at, _ := api.LocalTimes(day, a.asked.Zone)
		if !at.Before(*a.asked.Until) {
			return starts
		}
		starts = append(starts, at)
	}
}

// hours returns the beginnings of the hours of the range in its time zone, whose offset may have minutes.
func (a analysis) hours() (starts []time.Time) {
	from := a.asked.From.In(a.asked.Zone)
	_, seconds := from.Zone()
	offset := time.Duration(seconds) * time.Second
	for at := from.Add(offset).Truncate(time.Hour).Add(-offset); at.Before(*a.asked.Until); at = at.Add(time.Hour) {
		starts = append(starts, at)
	}
	return starts
}

// ConvertedY returns the top of the part for converted leads.
func (b leadsBar) ConvertedY() float64 { return leadsHeight - b.ConvertedHeight }

// ViewBox returns the size of the drawing.
func (c *leadsChart) ViewBox() string {
	return fmt.Sprintf("0 0 %g %g", barStep*float64(max(len(c.Bars), 1)), leadsHeight)
}

// Half returns the value in the middle of the chart.
func (c *leadsChart) Half() uint64 { return c.Top / 2 }

// niceTop returns the smallest even number with one or two digits other than zero that is not below n.
func niceTop(n uint64) uint64 {
	scale := uint64(1)
	for n > 100*scale {
		scale *= 10
	}
	return max((n+2*scale-1)/(2*scale)*(2*scale), 2)
}

// leadsWithin returns the parameters of a figure of the leads who first visited the first goal within a range.
func leadsWithin(from, until time.Time) []string {
	return []string{"lead_from", from.UTC().Format(time.RFC3339Nano), "lead_until",
		until.UTC().Format(time.RFC3339Nano)}
}
