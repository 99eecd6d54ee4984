package console

import (
	"fmt"
	"time"
)

// chart is how many of the selected events came when, as bars to draw.
type chart struct {
	Total, Refused uint64
	From, To       moment
	Bars           []bar
	Base           string // the page to which from and to are added when a range is dragged
	Width          string // of a bar in time, in words
	Capacity       int    // bars that there is room for
}

type bar struct {
	X, Y, Height, RefusedHeight float64
	Title                       string
}

// chartHeight and barStep are in units of the drawing.
const (
	chartHeight = 48.0
	barStep     = 10.0
	mostBars    = 120
)

// widths are what a bar may stand for.
var widths = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}

func widthFor(d time.Duration) time.Duration {
	for _, w := range widths {
		if d <= w*(mostBars+1) {
			return w
		}
	}
	return d/mostBars + time.Microsecond
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
	width := widthFor(until.Sub(*from))
	bars, err := v.direct.Histogram(v.Context(), f.Selection, *from, until, width)
	if err != nil {
		return nil, err
	}
	c := &chart{From: v.at(*from), To: v.at(until), Base: link("/", f.without("since", "from", "until")), Width: span(width),
		Capacity: int((until.Sub(*from)-1)/width) + 1}
	most := uint64(1)
	for _, b := range bars {
		c.Total, c.Refused, most = c.Total+b.Events, c.Refused+b.Refused, max(most, b.Events)
	}
	for _, b := range bars {
		at := v.at(b.At)
		height := max(chartHeight*float64(b.Events)/float64(most), 1.5)
		c.Bars = append(c.Bars, bar{X: barStep * float64(b.At.Sub(*from)/width), Y: chartHeight - height, Height: height,
			RefusedHeight: height * float64(b.Refused) / float64(b.Events),
			Title:         fmt.Sprintf("%s, %s: %s", at.Format("2006-01-02 15:04:05"), c.Width, count(b.Events, "event"))})
	}
	return c, nil
}

// RefusedY is where the part of a bar begins that was not accepted.
func (b bar) RefusedY() float64 { return chartHeight - b.RefusedHeight }

// ViewBox is the drawing's.
func (c *chart) ViewBox() string {
	return fmt.Sprintf("0 0 %g %g", barStep*float64(c.Capacity), chartHeight)
}

// FromUnix and ToUnix are the ends in milliseconds, for the script.
func (c *chart) FromUnix() int64 { return c.From.UnixMilli() }

// ToUnix is the end.
func (c *chart) ToUnix() int64 { return c.To.UnixMilli() }

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
		return v.see("/?" + f.with("chart", "1"))
	}
	return v.part("events", "counted", c)
}
