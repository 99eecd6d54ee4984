package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"hooktape/dashboards"
	"hooktape/internal/store"
)

// Panels are the names of the panels of analytics: the files of dashboards/sql/conversion.
var Panels = []string{"summary", "over_time", "funnel", "utm", "content", "channels", "cohorts", "untagged",
	"spellings"}

// AnalysisChoices is an analysis with its defaults filled in, and what there is to choose from.
type AnalysisChoices struct {
	From        time.Time `json:"from" doc:"The beginning of the range."`
	Until       time.Time `json:"until" doc:"The end of the range."`
	Source      string    `json:"source" doc:"The source whose leads are counted: by default the busiest; empty if no source has flow webhooks in the range."`
	Goals       []string  `json:"goals" doc:"Steps in order: the first makes a lead, the last is the conversion."`
	WindowDays  int       `json:"window_days" doc:"How many days after the first goal the last may be reached."`
	Attribution string    `json:"attribution" enum:"first,last" doc:"Whose UTM tags count: of the first or of the last tagged visit."`
	TimeZone    string    `json:"time_zone" doc:"The time zone in which days and weeks begin."`
	Sources     []string  `json:"sources" doc:"The sources with flow webhooks in the range, the busiest first."`
	Steps       []string  `json:"steps" doc:"The steps of the source in the order in which subscribers reach them; at most 8."`
}

// Panel is a table of figures.
type Panel struct {
	Panel   string           `json:"panel" doc:"Its name." example:"utm"`
	Columns []string         `json:"columns" doc:"The names of the columns, in order; empty without rows."`
	Rows    []map[string]any `json:"rows" doc:"The values of each row by column. null: there is no such value."`
}

// AnalysisChoices fills in the defaults of an analysis: its source and its goals.
func (d *Direct) AnalysisChoices(ctx context.Context, a Analysis) (AnalysisChoices, error) {
	c := AnalysisChoices{From: *a.From, Until: *a.Until, Source: strings.Join(a.Sources, ""), Goals: a.Goals,
		WindowDays: a.WindowDays, Attribution: a.Attribution, TimeZone: a.Zone.String(), Sources: []string{},
		Steps: []string{}}
	var flows, suggested store.Answer
	given := c.Source != ""
	group, ctx := errgroup.WithContext(ctx)
	steps := func() (err error) {
		a := a
		a.Sources = []string{c.Source}
		if past := a.Until.Add(-goalsRange); past.Before(*a.From) { // a day may lack the conversion
			a.From = &past
		}
		suggested, err = d.ask(ctx, "variables/goals", a)
		return err
	}
	group.Go(func() (err error) {
		flows, err = d.ask(ctx, "variables/flows", a)
		if err != nil || given || len(flows.Rows) == 0 {
			return err
		}
		c.Source = fmt.Sprint(flows.Rows[0][1])
		return steps()
	})
	if given {
		group.Go(steps)
	}
	if err := group.Wait(); err != nil {
		return c, err
	}
	for _, row := range flows.Rows {
		c.Sources = append(c.Sources, fmt.Sprint(row[1]))
	}
	if len(suggested.Rows) > 0 {
		for step := range strings.SplitSeq(fmt.Sprint(suggested.Rows[0][0]), ",") {
			if name, err := url.PathUnescape(step); err == nil {
				c.Steps = append(c.Steps, name)
			}
		}
	}
	if len(c.Goals) == 0 {
		c.Goals = c.Steps
	}
	return c, nil
}

// With returns the analysis with the source and the goals of the choices.
func (a Analysis) With(c AnalysisChoices) Analysis {
	a.Sources, a.Goals = []string{c.Source}, c.Goals
	return a
}

// Panel returns a panel of an analysis. Without a source or without goals it first finds them, as
// [Direct.AnalysisChoices] does.
func (d *Direct) Panel(ctx context.Context, name string, a Analysis) (Panel, error) {
	p := Panel{Panel: name, Columns: []string{}, Rows: []map[string]any{}}
	if !slices.Contains(Panels, name) {
		return p, Problemf(http.StatusNotFound, "there is no panel %q; there are %s", name, strings.Join(Panels, ", "))
	}
	if len(a.Sources) == 0 || len(a.Goals) == 0 {
		choices, err := d.AnalysisChoices(ctx, a)
		if err != nil {
			return p, err
		}
		a = a.With(choices)
	}
	answer, err := d.ask(ctx, panelFile(name), a)
	if err != nil {
		return p, err
	}
	names := make([]string, len(answer.Columns))
	for i, title := range answer.Columns {
		names[i] = columnName(title)
		if !strings.HasSuffix(names[i], keySuffix) {
			p.Columns = append(p.Columns, names[i])
		}
	}
	for _, values := range answer.Rows {
		row := map[string]any{}
		for i, name := range names {
			row[name] = values[i]
		}
		p.Rows = append(p.Rows, withTexts(row))
	}
	p.restoreZeros()
	return p, nil
}

// ErrApart reports that the server has refused a query of several panels in the last hour.
var ErrApart = store.ErrApart

// Panels returns several panels that count leads, of an analysis with a source and goals: one query reads the requests
// once for all of them. The panels have no columns in order, and their numbers are floating-point. A server that
// does not know or allow such a query refuses it; calls in the hour after that return [ErrApart] without asking.
func (d *Direct) Panels(ctx context.Context, names []string, a Analysis) (map[string]Panel, error) {
	files := make([]string, len(names))
	panels := map[string]Panel{}
	for i, name := range names {
		files[i], panels[name] = panelFile(name), Panel{Panel: name}
	}
	sql, err := dashboards.Together(files...)
	if err != nil {
		return nil, err
	}
	if sql, err = a.view().Expand(sql); err != nil {
		return nil, err
	}
	answer, err := d.store.AskTogether(ctx, sql)
	if err != nil {
		return nil, err
	}
	for _, values := range answer.Rows {
		found, row := map[string]any{}, map[string]any{}
		if err := json.Unmarshal([]byte(fmt.Sprint(values[1])), &found); err != nil {
			return nil, fmt.Errorf("read the panels: %w", err)
		}
		for title, value := range found {
			name := columnName(title)
			if text, ok := value.(string); ok && name == "time" {
				if row[name], err = time.Parse(time.RFC3339, text); err != nil {
					return nil, fmt.Errorf("read the panels: %w", err)
				}
				continue
			}
			row[name] = value
		}
		p := panels[strings.TrimPrefix(fmt.Sprint(values[0]), panelFile(""))]
		p.Rows = append(p.Rows, withTexts(row))
		panels[p.Panel] = p
	}
	panels["summary"].restoreZeros()
	return panels, nil
}

// restoreZeros replaces absent numbers of leads in the preceding period of the panel summary by zero. Its SQL returns
// infinity for zero, because Grafana shows no change in percent from infinity, and an Answer has no infinity. If there
// was no preceding period, which the note says, the numbers stay absent.
func (p Panel) restoreZeros() {
	if p.Panel != "summary" || len(p.Rows) == 0 || p.Rows[0]["note"] != "" {
		return
	}
	for _, column := range []string{"leads", "with_a_contact", "converted"} {
		if p.Rows[0][column] == nil {
			p.Rows[0][column] = 0.0
		}
	}
}

// Figure selects the leads behind a number of a panel.
type Figure struct {
	Reached     int       // how many goals they reached, from 1 on
	Contact     bool      // only those with an e-mail address or a phone number
	From, Until time.Time // the range of their first visits to the first goal; Until is excluded
}

// MaxPeople is the largest number of people that [Direct.People] returns.
const MaxPeople = 200

// People returns the ids of the subscribers behind a figure of an analysis with a source and goals; nil if there are
// more than [MaxPeople].
func (d *Direct) People(ctx context.Context, a Analysis, f Figure) (ids []string, err error) {
	sql, err := dashboards.SQL(panelFile("people"))
	if err != nil {
		return nil, err
	}
	view := a.view()
	view.Values["reached"] = []string{strconv.Itoa(f.Reached)}
	view.Values["contact"] = []string{map[bool]string{false: "0", true: "1"}[f.Contact]}
	view.Values["lead_from"] = []string{strconv.FormatInt(f.From.UnixMicro(), 10)}
	view.Values["lead_until"] = []string{strconv.FormatInt(f.Until.UnixMicro(), 10)}
	if sql, err = view.Expand(sql); err != nil {
		return nil, err
	}
	answer, err := d.store.Ask(ctx, sql)
	if err != nil || len(answer.Rows) > MaxPeople {
		return nil, err
	}
	ids = []string{}
	for _, row := range answer.Rows {
		ids = append(ids, fmt.Sprint(row[0]))
	}
	return ids, nil
}

func panelFile(name string) string { return "conversion/" + name }

// columnName returns the name of a column with a title such as "Of all leads".
func columnName(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "_") }

// withTexts replaces words for an absent text by the exact text, which another column has.
func withTexts(row map[string]any) map[string]any {
	for name, value := range row {
		if text, isKey := strings.CutSuffix(name, keySuffix); isKey {
			row[text] = textOf(fmt.Sprint(value))
			delete(row, name)
		}
	}
	return row
}

// keySuffix is the end of the name of a column that has the exact text of the column before the suffix, encoded. The
// column itself has words for an absent text.
const keySuffix = "_key"

// ask runs a query of the dashboards.
func (d *Direct) ask(ctx context.Context, name string, a Analysis) (store.Answer, error) {
	sql, err := dashboards.SQL(name)
	if err != nil {
		return store.Answer{}, err
	}
	if sql, err = a.view().Expand(sql); err != nil {
		return store.Answer{}, err
	}
	return d.store.Ask(ctx, sql)
}

// textOf is the inverse of [dashboards.Key].
func textOf(key string) string {
	if key == dashboards.Key("") {
		return ""
	}
	text, err := url.PathUnescape(key)
	if err != nil {
		return key
	}
	return text
}

// CSV writes the panel as CSV with a header line. An apostrophe precedes a value that a spreadsheet would run as a
// formula.
func (p Panel) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write(p.Columns) // Flush returns the error
	for _, row := range p.Rows {
		cells := make([]string, len(p.Columns))
		for i, column := range p.Columns {
			switch value := row[column].(type) {
			case nil:
			case time.Time:
				cells[i] = value.Format(time.RFC3339)
			case string:
				cells[i] = harmlessCell(strings.ToValidUTF8(value, "\uFFFD"))
			default:
				cells[i] = fmt.Sprint(value)
			}
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return out.Error()
}

type panelInput struct {
	AnalysisQuery
	Panel  string `path:"panel" doc:"The name of the panel."`
	Format string `query:"format" enum:"json,csv" default:"json"`
}

type panelOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *server) analyticsRoutes() {
	reply(s, RoleRead, "GET /analytics", huma.Operation{OperationID: "get-analytics",
		Parameters: analyticsParams(),
		Summary:    "Show what the panels count",
		Description: "The range, the source and the goals that the panels have for these parameters, and the sources " +
			"and steps to choose from."},
		func(ctx context.Context, in *struct{ AnalysisQuery }) (AnalysisChoices, error) {
			return s.as(ctx).AnalysisChoices(ctx, in.analysis)
		})
	names := make([]any, len(Panels))
	for i, name := range Panels {
		names[i] = name
	}
	content := s.json(Panel{})
	content[csvType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	route(s, RoleRead, "GET /analytics/{panel}", huma.Operation{OperationID: "get-analytics-panel",
		Parameters: append(analyticsParams(&huma.Param{Name: "format", Description: "The format of the answer.",
			Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"json", "csv"}, Default: "json"}}),
			&huma.Param{Name: "panel", In: "path", Required: true, Description: "The name of the panel.",
				Schema: &huma.Schema{Type: huma.TypeString, Enum: names}}),
		Errors:  []int{http.StatusNotFound},
		Summary: "Get a table of figures",
		Description: "What the Grafana dashboard *Conversion and UTM* shows, from the same SQL. `summary` has a row " +
			"for the preceding period, then one for the range. If the source's first request came after the " +
			"preceding period began, the `note` of that row is `no earlier figures`, and its figures are null. " +
			"`median_time` is in minutes.",
		Responses: map[string]*huma.Response{"200": {Description: "The figures", Content: content}}},
		func(ctx context.Context, in *panelInput) (*panelOutput, error) {
			p, err := s.as(ctx).Panel(ctx, in.Panel, in.analysis)
			if err != nil {
				return nil, err
			}
			var body bytes.Buffer
			if in.Format == "csv" {
				err = p.CSV(&body)
				return &panelOutput{RowTypes["csv"], `attachment; filename="` + in.Panel + `.csv"`,
					body.Bytes()}, err
			}
			err = json.NewEncoder(&body).Encode(p)
			return &panelOutput{"application/json", "", body.Bytes()}, err
		})
}

const csvType = "text/csv"
