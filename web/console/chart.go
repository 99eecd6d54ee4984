package console

import (
	"fmt"
	"time"
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
var intervals = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
	15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
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
		c.Bars = append(c.Bars, bar{X: barStep * float64(b.At.Sub(*from)/interval), Y: chartHeight - height, Height: height,
			RejectedHeight: height * float64(b.Refused) / float64(b.Events),
			Title:          fmt.Sprintf("%s, %s: %s", v.at(b.At).Format(time.DateTime), c.Width, count(b.Events, "event"))})
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
