package panels_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/web/api"
)

// pageOn returns what answers the page Analytics of the console, and its routes of the API.
func pageOn(db *store.Store) *api.Direct {
	return api.NewDirect(db, replay.NewService(db, func() []replay.Endpoint { return nil }, false), replay.Actor{})
}

// pagePanels are the panels of the page by the titles of the dashboard's.
var pagePanels = map[string]string{"Leads and conversions": "summary", "Funnel": "funnel",
	"Leads and conversion over time": "over_time", "Leads by UTM tags": "utm", "Messengers": "channels",
	"Weekly cohorts": "cohorts", "Without UTM tags": "untagged", "UTM spelling variants": "spellings",
	"Content and term": "content"}

// samePage checks that a panel of the page, and of the API, has the figures of the dashboard's panel.
func (c comparison) samePage(title string, shown []row) {
	c.t.Helper()
	if pagePanels[title] == "" {
		c.t.Fatalf("the page has no panel for %q", title)
	}
	query := url.Values{"from": {c.view.From.Format(time.RFC3339)}, "until": {c.view.To.Format(time.RFC3339)},
		"time_zone": {c.view.Zone}, "source": {c.source}, "goal": c.goals}
	for name, values := range c.view.Values {
		switch {
		case name == "window_days" || name == "attribution":
			query[name] = values
		case strings.HasPrefix(name, "utm_"):
			for _, key := range values {
				text, err := url.PathUnescape(key)
				if err != nil {
					c.t.Fatal(err)
				}
				query.Add(name, strings.ReplaceAll(text, "(none)", ""))
			}
		}
	}
	analysis, faults := api.ParseAnalysis(query, time.Now())
	if len(faults) > 0 {
		c.t.Fatalf("%v: %v", query, faults)
	}
	want := lines(shown, func(r row) string {
		var figures []string
		for _, column := range slices.Sorted(maps.Keys(r)) {
			switch v := r[column].(type) {
			case float64:
				figures = append(figures, column+" "+fmt.Sprintf("%.6f", v))
			case nil:
				figures = append(figures, column+" "+noFigure)
			case string:
				switch {
				case column == "Note":
					figures = append(figures, column+" "+v)
				case v != "inf":
				case r["Note"] == "" && column != "Conversion rate":
					figures = append(figures, column+" "+shownNumber(0.0))
				default: // not to be compared with
					figures = append(figures, column+" "+noFigure)
				}
			}
		}
		return strings.ReplaceAll(strings.ToLower(strings.Join(figures, ", ")), " ", "_")
	})
	same := func(what string, page api.Panel, err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
		c.equal(title+what, figuresOf(page), want)
	}
	name := pagePanels[title]
	panel, err := c.page.Panel(context.Background(), name, analysis)
	same(" of the API", panel, err)
	if name != "spellings" { // it counts requests
		names := []string{"funnel", "utm", "cohorts"}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		together, err := c.page.Panels(context.Background(), names, analysis)
		same(" of the page", together[name], err)
	}
}

// figuresOf returns a line with the numbers and the note of each row.
func figuresOf(p api.Panel) []string {
	return lines(p.Rows, func(r map[string]any) string {
		var figures []string
		for _, column := range slices.Sorted(maps.Keys(r)) {
			switch v := r[column].(type) {
			case float64, uint64:
				figures = append(figures, column+" "+shownNumber(v))
			case nil:
				figures = append(figures, column+" "+noFigure)
			case string:
				if column == "note" {
					figures = append(figures, column+" "+v)
				}
			}
		}
		return strings.ReplaceAll(strings.Join(figures, ", "), " ", "_")
	})
}

func shownNumber(v any) string {
	if n, ok := v.(uint64); ok {
		return shown(float64(n))
	}
	return shown(v.(float64))
}
