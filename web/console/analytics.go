package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// analyticsPage has the figures of one source. Its address has the parameters of the API.
type analyticsPage struct {
	analysis
	Presets []preset
	Chips   []chip
	Form    analyticsForm
	Flows   []preset // the sources to choose from, if there are several
	First   bool     // nothing has ever arrived
	Failed  []string // names of panels
	Figures []kpi
	Chart   *leadsChart
	Funnel  []funnelStep
	Tables  []figureTable
}

// analysis is the analysis that an address describes, with the defaults filled in.
type analysis struct {
	api.AnalysisChoices
	asked api.Analysis
	query url.Values // as in the address
	visit *visit
}

// ownParams are the parameters of the page that the API does not have.
var ownParams = []string{"sort", "all", "tags"}

// analysis reads the address of a page, which may have further parameters.
func (v *visit) analysis(further ...string) (analysis, error) {
	query, asked := v.URL.Query(), url.Values{}
	for name, values := range query {
		if !slices.Contains(ownParams, name) && !slices.Contains(further, name) {
			asked[name] = values
		}
	}
	if !asked.Has("time_zone") {
		asked.Set("time_zone", v.zone.String())
	}
	parsed, faults := api.ParseAnalysis(asked, v.now)
	v.zone = parsed.Zone
	a := analysis{asked: parsed, query: query, visit: v}
	if err := api.CheckSelection(faults); err != nil {
		return a, err
	}
	return a, nil
}

// choose fills in the defaults of the analysis, and finds what there is to choose from.
func (a *analysis) choose() (err error) {
	without := a.withoutRange()
	if a.AnalysisChoices, err = a.visit.direct.AnalysisChoices(a.visit.Context(), a.asked); err != nil {
		return err
	}
	a.visit.analyzed.Store(&analyzed{without, a.AnalysisChoices})
	a.asked = a.asked.With(a.AnalysisChoices)
	return nil
}

// analyzed has the choices for the last address of the page.
type analyzed struct {
	withoutRange string
	choices      api.AnalysisChoices
}

// withoutRange returns the parameters of the analysis without its range.
func (a *analysis) withoutRange() string { return without(a.asked.Values(), "from", "until").Encode() }

// expected returns the analysis that choose will probably make, by those of the last page.
func (a *analysis) expected() (api.Analysis, bool) {
	last := a.visit.analyzed.Load()
	if last == nil || last.withoutRange != a.withoutRange() || len(last.choices.Goals) == 0 {
		return a.asked, false
	}
	return a.asked.With(last.choices), true
}

// without returns a copy of the query without some parameters.
func (a analysis) without(names ...string) url.Values {
	return without(a.query, names...)
}

// with returns the address of the page with a parameter replaced; without it, if value is empty. It also drops the
// parameters in drop.
func (a analysis) with(name, value string, drop ...string) string {
	values := a.without(append(drop, name)...)
	if value != "" {
		values.Set(name, value)
	}
	return link("/analytics", values)
}

// only returns the address of the page for leads with one value of a filter, which may be empty.
func (a analysis) only(filter, value string) string {
	values := a.without(filter)
	values.Set(filter, value)
	return link("/analytics", values)
}

// events returns the address of the list of the requests that the figures count: accepted ones of flows of the source,
// in the range. Further filters replace those of the page. pairs are names and values in turn.
func (a analysis) events(pairs ...string) string { return link("/", a.selection(pairs...)) }

func (a analysis) selection(pairs ...string) url.Values {
	sel := a.asked.Selection
	until := sel.Until.Add(time.Microsecond) // the SQL includes the end of the range, a selection does not
	sel.Until = &until
	values := sel.Values()
	values.Set("verdict", string(event.Accepted))
	values.Set("kind", string(event.KindFlow))
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// CSV returns the address of a panel's figures as CSV, for the very range and goals of the page.
func (a analysis) CSV(panel string) string { return link("/analytics/"+panel+".csv", a.asked.Values()) }

// figureParams are the parameters of the address of the people behind a figure, beside those of the analysis.
var figureParams = []string{"reached", "contact", "lead_from", "lead_until"}

// people returns the address that leads to the requests of the people behind a figure: at the last of the goals that
// they reached, counted from 1. pairs are names and values of further parameters in turn; filters replace those of the
// page.
func (a analysis) people(reached int, pairs ...string) string {
	values := a.asked.Values()
	values.Set("reached", number(reached))
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return link("/analytics/people", values)
}

// showPeople leads to the list of the requests behind a figure. If it has more people than an address can name, the
// list has the requests of everybody at that step with these tags, and says so.
func showPeople(v *visit) error {
	a, err := v.analysis(figureParams...)
	if err != nil {
		return err
	}
	query := v.URL.Query()
	f := api.Figure{Contact: query.Get("contact") == "1", From: *a.asked.From,
		Until: a.asked.Until.Add(time.Microsecond)}
	f.Reached, _ = strconv.Atoi(query.Get("reached"))
	if f.Reached < 1 || f.Reached > len(a.asked.Goals) || len(a.asked.Sources) == 0 {
		return api.Invalidf("a figure needs a source, its goals, and in reached the number of goals that were reached")
	}
	if from, err := time.Parse(time.RFC3339Nano, query.Get("lead_from")); err == nil && from.After(f.From) {
		f.From = from
	}
	if until, err := time.Parse(time.RFC3339Nano, query.Get("lead_until")); err == nil && until.Before(f.Until) {
		f.Until = until
	}
	ids, err := v.direct.People(v.Context(), a.asked, f)
	if err != nil {
		return err
	}
	selection := a.selection("step", a.asked.Goals[f.Reached-1])
	if ids == nil {
		selection.Set("instead", "1")
		return v.redirect(link("/", selection))
	}
	for _, f := range event.Filters {
		if f.AnySpelling || f.Name == "channel" { // their tags may be on other requests
			selection.Del(f.Name)
		}
	}
	if selection["subscriber"] = ids; len(ids) == 0 {
		selection["subscriber"] = []string{""} // nobody
	}
	return v.redirect(link("/", selection))
}

func showAnalytics(v *visit) error {
	if dates, changed := v.typedDates(); changed {
		return v.redirect(link("/analytics", dates))
	}
	if goals, changed := v.typedGoals(); changed {
		return v.redirect(link("/analytics", goals))
	}
	a, err := v.analysis()
	if err != nil {
		return err
	}
	names := []string{"summary", "over_time", "funnel", "channels", "cohorts", a.tagsPanel()}
	ask, stop := a.early(names)
	defer stop()
	if err := a.choose(); err != nil {
		return err
	}
	p := analyticsPage{analysis: a, Form: a.form()}
	p.Presets = presetsOf("/analytics", a.query, cmp.Or(chosenTime(a.query), "30d"), "24h", "7d", "30d", "90d",
		"365d")
	p.Chips = v.chipsOf(tagFilters, filters{Values: a.query}, "/analytics")
	if len(a.Sources) > 1 {
		for _, name := range a.Sources {
			p.Flows = append(p.Flows, preset{name, a.with("source", name, "goal", "sort"), name == a.Source})
		}
	}
	if len(a.Goals) == 0 {
		first, err := v.direct.FirstEvent(v.Context())
		p.First = first.IsZero()
		return cmp.Or(err, v.show("analytics", "Analytics", p))
	}
	if err := p.fill(names, ask); err != nil {
		return err
	}
	return v.show("analytics", "Analytics", p)
}

// early asks for the panels of the analysis that is expected, before it is known which one the page has: ClickHouse
// takes about as long to plan their query, with one thread, as to find the source and the goals. ask returns the panels
// of an analysis; if it is another one than expected, by another query. stop ends a query that is not needed.
func (a *analysis) early(names []string) (ask func(api.Analysis) (map[string]api.Panel, error), stop func()) {
	ctx, cancel := context.WithCancel(a.visit.Context())
	var panels map[string]api.Panel
	var asking errgroup.Group
	expected, ok := a.expected()
	if ok {
		asking.Go(func() (err error) {
			panels, err = a.visit.direct.Panels(ctx, names, expected)
			return err
		})
	}
	stop = func() {
		cancel()
		_ = asking.Wait() // the error is of no interest
	}
	return func(asked api.Analysis) (map[string]api.Panel, error) {
		if ok && reflect.DeepEqual(asked, expected) {
			err := asking.Wait()
			return panels, err
		}
		stop()
		return a.visit.direct.Panels(a.visit.Context(), names, asked)
	}, stop
}

// tagFilters are the filters of the page by messenger and tags.
var tagFilters = slices.DeleteFunc(slices.Clone(event.Filters), func(f event.Filter) bool {
	return !f.AnySpelling && f.Name != "channel"
})

// tagsPanel is the panel of the UTM tags that the address chooses.
func (a analysis) tagsPanel() string {
	if a.query.Get("tags") == "content" {
		return "content"
	}
	return "utm"
}

// oneByOne asks for each panel alone. reason is the error of the query for all of them. The page names the panels that
// fail. If ClickHouse is busy or away, the first panel fails, and oneByOne returns that error at once.
func (p *analyticsPage) oneByOne(names []string, reason error) (map[string]api.Panel, error) {
	panels := map[string]api.Panel{}
	var last error
	for i, name := range names {
		panel, err := p.visit.direct.Panel(p.visit.Context(), name, p.asked)
		if err == nil {
			panels[name] = panel
			continue
		}
		if problem, _ := api.ProblemOf(err); i == 0 && problem.Status == http.StatusServiceUnavailable {
			return nil, err
		}
		p.Failed = append(p.Failed, strings.ReplaceAll(name, "_", " "))
		last = err
	}
	if !errors.Is(reason, api.ErrApart) {
		p.visit.Logger.Warn("the panels of analytics are asked for one by one, because a query for all failed", "error",
			reason)
	}
	if len(panels) == 0 {
		return nil, last
	}
	return panels, nil
}

// fill computes the contents of the page from its panels. ask returns them for an analysis.
func (p *analyticsPage) fill(names []string, ask func(api.Analysis) (map[string]api.Panel, error)) error {
	sel, faults := event.ParseSelection(p.selection(), p.visit.now)
	if err := api.CheckSelection(faults); err != nil {
		return err
	}
	ctx := p.visit.Context()
	var requests *uint64
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		if n, err := p.visit.direct.Count(ctx, sel, 0); err == nil {
			requests = &n
		}
	})
	panels, err := ask(p.asked)
	if err != nil {
		panels, err = p.oneByOne(names, err)
	}
	if err != nil {
		return err
	}
	group.Wait()
	p.Figures = p.kpis(panels["summary"].Rows, requests)
	if panel, ok := panels["over_time"]; ok {
		p.Chart = p.leadsChart(panel.Rows)
	}
	p.Funnel = p.funnel(panels["funnel"].Rows)
	p.Tables = p.figureTables(panels)
	return nil
}

// downloadPanel sends the figures of a panel as CSV.
func downloadPanel(v *visit) error {
	panel, ok := strings.CutSuffix(v.PathValue("file"), ".csv")
	if !ok || !slices.Contains(api.Panels, panel) {
		return api.Problemf(http.StatusNotFound, "there is no page at %s", v.URL.Path)
	}
	a, err := v.analysis()
	if err != nil {
		return err
	}
	p, err := v.direct.Panel(v.Context(), panel, a.asked)
	if err != nil {
		return err
	}
	v.attach(panel, "csv")
	return p.CSV(v.w)
}

// analyticsForm is the form of dates and goals.
type analyticsForm struct {
	ButDates    url.Values // the parameters of the address, without those of the form of dates
	First, Last string     // days
	ButGoals    url.Values
	Goals       []goalField
	MayAdd      bool // a step that is not among the choices
	Windows     []choice
	Attribution []choice
}

func (a analysis) form() analyticsForm {
	f := analyticsForm{ButDates: a.without("since", "from", "until"),
		ButGoals: a.without("goal", "window_days", "attribution"), First: a.From.In(a.visit.zone).Format(time.DateOnly),
		Last: a.Until.In(a.visit.zone).Add(-time.Second).Format(time.DateOnly)}
	steps := slices.Clone(a.Steps)
	for _, goal := range a.Goals {
		if !slices.Contains(steps, goal) {
			steps = append(steps, goal)
		}
	}
	goals := slices.Clone(a.Goals)
	if len(goals) < min(len(steps), api.MaxGoals) {
		goals = append(goals, "") // for a step that is left
	}
	for i, goal := range goals {
		field := goalField{Number: i + 1, Choices: []choice{{"", "–", goal == ""}}}
		for _, step := range steps {
			field.Choices = append(field.Choices, choice{step, visibleTitle(step), step == goal})
		}
		f.Goals = append(f.Goals, field)
	}
	f.MayAdd = len(f.Goals) < api.MaxGoals
	for _, days := range []int{1, 7, 14, 30, 90} {
		text := count(uint64(days), "day")
		f.Windows = append(f.Windows, choice{number(days), text, days == a.WindowDays})
	}
	if !slices.ContainsFunc(f.Windows, func(c choice) bool { return c.Chosen }) {
		f.Windows = append(f.Windows, choice{number(a.WindowDays), count(uint64(a.WindowDays), "day"), true})
	}
	for _, c := range []choice{{api.AttributionFirst, "First touch", false},
		{api.AttributionLast, "Last touch", false}} {
		c.Chosen = c.Value == a.Attribution
		f.Attribution = append(f.Attribution, c)
	}
	return f
}

// goalField is the field of a goal: one of the steps, or none.
type goalField struct {
	Number  int // in order, from 1
	Choices []choice
}

// typedGoals returns the query for the goals that the form has: without empty fields, and with each step once. The step
// that was typed comes last. Without any the page has its own goals. changed reports whether the query is another one.
func (v *visit) typedGoals() (query url.Values, changed bool) {
	query = v.URL.Query()
	var goals []string
	for _, goal := range append(slices.Clip(query["goal"]), strings.TrimSpace(query.Get("another"))) {
		if goal != "" && !slices.Contains(goals, goal) {
			goals = append(goals, goal)
		}
	}
	changed = query.Has("another") || !slices.Equal(goals, query["goal"])
	query.Del("another")
	if query["goal"] = goals; len(goals) == 0 {
		query.Del("goal")
	}
	return query, changed
}

// typedDates returns the query for the days that the form has: from the beginning of the first to the end of the last,
// in the time zone of the address, else of the browser. changed reports whether the form was sent.
func (v *visit) typedDates() (query url.Values, changed bool) {
	query = v.URL.Query()
	zone := v.zone
	if named, err := time.LoadLocation(query.Get("time_zone")); err == nil && query.Has("time_zone") {
		zone = named
	}
	first, firstErr := time.Parse(time.DateOnly, query.Get("first"))
	last, lastErr := time.Parse(time.DateOnly, query.Get("last"))
	changed = query.Has("first") || query.Has("last")
	query.Del("first")
	query.Del("last")
	if firstErr != nil || lastErr != nil {
		return query, changed
	}
	if last.Before(first) {
		first, last = last, first
	}
	begin, _ := api.LocalTimes(first, zone)
	end, _ := api.LocalTimes(last.AddDate(0, 0, 1), zone)
	query.Del("since")
	query.Set("from", begin.Format(time.RFC3339))
	query.Set("until", end.Format(time.RFC3339))
	return query, changed
}
