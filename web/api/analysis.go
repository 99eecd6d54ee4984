package api

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/dashboards"
	"hooktape/internal/event"
)

// Analysis selects the leads that the panels of analytics count, of one source and in a range of time. A lead is a
// subscriber who reached the first goal in that range.
type Analysis struct {
	// Selection has From, Until, Sources, Channels and the UTM tags; its other fields are empty. Channels and tags
	// select leads by their first visit and by the visit of the attribution.
	event.Selection
	Goals       []string // steps in order; the last is the conversion
	WindowDays  int      // how long after the first goal the last may be reached
	Attribution string   // AttributionFirst or AttributionLast: whose UTM tags count
	Zone        *time.Location
}

// The values of Analysis.Attribution: the UTM tags of a lead are those of its first or of its last tagged visit.
const (
	AttributionFirst = "first"
	AttributionLast  = "last"
)

const (
	defaultRange = 30 * 24 * time.Hour
	maxRange     = 3660 * 24 * time.Hour
	goalsRange   = 90 * 24 * time.Hour // in which the steps of a source are found, unless the range is longer
	maxWindow    = 365
)

// MaxGoals is the largest number of goals: the view journeys has a bit for each in eight bits.
const MaxGoals = 8

// analysisFilters has the help of those filters of events that are also parameters of analytics.
var analysisFilters = map[string]string{
	"since": "Counts the requests of the last 24h, 7d or 30d, for example (default: 30d); replaces from.",
	"from":  "Counts the requests received at or after this time, in whole seconds.",
	"until": "Counts the requests received at or before this time, in whole seconds. It is at the latest, and by " +
		"default, the end of this minute.",
	"source":       "Counts the leads of this source (default: the busiest).",
	"channel":      "Counts only leads whose first request came through one of these channels; empty: an unknown one.",
	"utm_source":   onlyLeadsWith,
	"utm_medium":   onlyLeadsWith,
	"utm_campaign": onlyLeadsWith,
	"utm_content":  onlyLeadsWith,
	"utm_term":     onlyLeadsWith,
}

const onlyLeadsWith = "Counts only leads with exactly one of these values, in this spelling, in the visit of the " +
	"attribution; empty: without the tag."

// analysisParams are the other parameters.
var analysisParams = []*huma.Param{
	{Name: "goal",
		Description: "Steps in order: the first makes a lead, the last is the conversion. At most 8; without any, " +
			"the steps of the source in the order in which subscribers reach them.", Explode: new(true),
		Schema: &huma.Schema{Type: huma.TypeArray,
			Items: &huma.Schema{Type: huma.TypeString}}, Example: []string{"start", "paid"}},
	{Name: "window_days", Description: "How many days after the first goal the last may be reached.",
		Schema: &huma.Schema{Type: huma.TypeInteger, Default: 7, Minimum: new(1.0), Maximum: new(float64(maxWindow))}},
	{Name: "attribution",
		Description: "Whose UTM tags count: of the first or of the last visit that has a source, medium or campaign.",
		Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{AttributionFirst, AttributionLast},
			Default: AttributionFirst}},
	{Name: "time_zone", Description: "The time zone in which days and weeks begin.", Example: "Europe/Moscow",
		Schema: &huma.Schema{Type: huma.TypeString, Default: "UTC"}},
}

// ParseAnalysis reads an Analysis from the query parameters of the API. Without a range it has the last 30 days, and
// without an end, or with one to come, it ends with the current minute. It returns all faults; an unknown parameter is
// one.
func ParseAnalysis(values url.Values, now time.Time) (Analysis, []event.SelectionFault) {
	now = now.Truncate(time.Minute).Add(time.Minute) // within a minute, the same query has the same text and is cached
	a := Analysis{WindowDays: 7, Attribution: AttributionFirst, Zone: time.UTC}
	filters := url.Values{}
	var faults []event.SelectionFault
	fault := func(name, format string, args ...any) {
		faults = append(faults, event.SelectionFault{Name: name, Message: fmt.Sprintf(format, args...)})
	}
	for name, given := range values {
		one := strings.Join(given, "")
		var err error
		switch name {
		case "goal":
			a.Goals = given
			if len(given) > MaxGoals || slices.Contains(given, "") {
				fault(name, "want one to %d steps with a name", MaxGoals)
			}
		case "window_days":
			if a.WindowDays, err = strconv.Atoi(one); err != nil || a.WindowDays < 1 || a.WindowDays > maxWindow {
				fault(name, "invalid number of days %q: want 1 to %d", one, maxWindow)
			}
		case "attribution":
			if a.Attribution = one; one != AttributionFirst && one != AttributionLast {
				fault(name, "invalid attribution %q: want first or last", one)
			}
		case "time_zone":
			if a.Zone, err = time.LoadLocation(one); err != nil || one == "Local" {
				fault(name, "invalid time zone %q: want one such as Europe/Moscow", one)
				a.Zone = time.UTC
			}
		default:
			if analysisFilters[name] == "" {
				fault(name, "unknown query parameter")
				continue
			}
			filters[name] = given
		}
	}
	if len(filters["source"]) > 1 {
		fault("source", "leads are counted for one source at a time")
	}
	sel, wrong := event.ParseSelection(filters, now)
	ahead := sel.From != nil && sel.From.After(now)
	if sel.Until == nil || sel.Until.After(now) && !ahead {
		sel.Until = &now // the time to come has no leads, and would lengthen the period to compare with
	}
	if sel.From == nil {
		from := sel.Until.Add(-defaultRange)
		sel.From = &from
	}
	a.Selection = sel
	if len(wrong) == 0 {
		wrong = sel.Faults()
	}
	if sel.From.Before(time.Unix(0, 0)) || sel.Until.Unix() > math.MaxUint32 || sel.Until.Sub(*sel.From) > maxRange {
		fault("from", "invalid range from %s until %s: want at most ten years between 1970 and 2106",
			sel.From.Format(time.DateOnly), sel.Until.Format(time.DateOnly))
	}
	return a, append(faults, wrong...)
}

// Values returns the query parameters of the analysis: the inverse of [ParseAnalysis].
func (a Analysis) Values() url.Values {
	values := a.Selection.Values()
	values["goal"] = a.Goals
	values.Set("window_days", strconv.Itoa(a.WindowDays))
	values.Set("attribution", a.Attribution)
	values.Set("time_zone", a.Zone.String())
	return values
}

// view returns the analysis as the queries of the dashboards take it.
func (a Analysis) view() dashboards.View {
	keys := func(texts []string) (list []string) {
		for _, text := range texts {
			list = append(list, dashboards.Key(text))
		}
		return list
	}
	values := map[string][]string{
		"source":      {strings.Join(a.Sources, "")},
		"goals":       {strings.Join(keys(a.Goals), ",")},
		"window_days": {strconv.Itoa(a.WindowDays)},
		"attribution": {a.Attribution},
	}
	for _, filter := range event.Filters {
		chosen := filter.Values(a.Selection)
		if len(chosen) > 0 && (filter.AnySpelling || filter.Name == "channel") {
			values[filter.Name] = keys(chosen)
		}
	}
	return dashboards.View{From: *a.From, To: *a.Until, Zone: a.Zone.String(), Values: values}
}

// analysisQuery reads an analysis from the query parameters that [analyticsParams] describes.
type analysisQuery struct{ analysis Analysis }

// Resolve implements huma.Resolver.
func (q *analysisQuery) Resolve(ctx huma.Context) (errs []error) {
	u := ctx.URL()
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query", Message: "invalid query: " + err.Error()}}
	}
	values.Del("format") // of a panel; huma has checked it
	analysis, faults := ParseAnalysis(values, time.Now())
	q.analysis = analysis
	for _, f := range located("query", faults) {
		errs = append(errs, &huma.ErrorDetail{Location: f.Location, Message: f.Message})
	}
	return errs
}

// analyticsParams describes the parameters of an analysis.
func analyticsParams(more ...*huma.Param) (list []*huma.Param) {
	for _, p := range selectionParams(event.Filters) {
		help, ours := analysisFilters[p.Name]
		if !ours {
			continue
		}
		if p.Description = help; p.Name == "source" {
			p.Schema, p.Explode = &huma.Schema{Type: huma.TypeString}, nil
		}
		list = append(list, p)
	}
	for _, p := range slices.Concat(analysisParams, more) {
		p := *p // huma changes it
		p.In = "query"
		list = append(list, &p)
	}
	return list
}

// AnalysisQuery is exported because huma reads embedded parameters of exported types only.
type AnalysisQuery struct{ analysisQuery }
