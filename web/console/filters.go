package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// filters are a selection as it stands in the URL of a page, under the names of the API's query parameters.
type filters struct {
	url.Values
	event.Selection
}

// filters reads the selection from the URL. Parameters that are neither a filter nor one of the page's own are refused:
// a filter with a typing error would select everything.
func (v *visit) filters(own ...string) (filters, error) {
	f := filters{Values: url.Values{}}
	all, err := url.ParseQuery(v.URL.RawQuery)
	if err != nil {
		return f, problem(http.StatusUnprocessableEntity, "the address is not written as a query: %v", err)
	}
	all = event.Renamed(all)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := event.FilterNamed(name); known {
			f.Values[name] = all[name]
		} else if !slices.Contains(own, name) {
			return f, problem(http.StatusUnprocessableEntity, "there is no filter %q; those that there are have the names of the API's query parameters, see /docs", name)
		}
	}
	sel, faults := event.ParseSelection(f.Values, v.now)
	f.Selection = sel
	return f, api.CheckSelection(faults)
}

// with is the query with more parameters in it, or others in place of those of the same names.
func (f filters) with(pairs ...string) string {
	values := maps.Clone(f.Values)
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = []string{pairs[i+1]}
	}
	return values.Encode()
}

// without is the query without some parameters.
func (f filters) without(names ...string) url.Values {
	values := maps.Clone(f.Values)
	for _, name := range names {
		delete(values, name)
	}
	return values
}

// URL is the list of the selected events.
func (f filters) URL() string { return link("/", f.Values) }

// link is a page of ours with a query.
func link(page string, values url.Values) string {
	if len(values) == 0 {
		return page
	}
	return page + "?" + values.Encode()
}

// chip is a filter that is set.
type chip struct{ Name, Label, Value, Without string }

// maxChips is how many values of one filter stand one by one.
const maxChips = 5

// chips are the filters that are set, for a page that shows its selection under a path; without a path they cannot be taken
// away.
func (v *visit) chips(f filters, page string) (list []chip) {
	add := func(filter event.Filter, value string, rest url.Values) {
		c := chip{filter.Name, filter.Label, value, ""}
		if page != "" {
			c.Without = link(page, rest)
		}
		list = append(list, c)
	}
	for _, filter := range event.Filters {
		values := f.Values[filter.Name]
		if len(values) > maxChips {
			add(filter, number(len(values))+" of them", f.without(filter.Name))
			continue
		}
		for i, value := range values {
			rest := f.without()
			rest[filter.Name] = slices.Delete(slices.Clone(values), i, i+1)
			add(filter, v.chipValue(filter, value), rest)
		}
	}
	return list
}

func (v *visit) chipValue(f event.Filter, value string) string {
	if f.Known != nil {
		return say(f.Name, value).Text
	}
	if t, err := time.Parse(time.RFC3339Nano, value); err == nil && f.IsTime() {
		return strings.TrimSuffix(v.at(t).Format("2006-01-02 15:04:05"), ":00")
	}
	if d, err := event.ParseSpan(value); err == nil && f.Name == "since" {
		return span(d)
	}
	if value == "" {
		return none
	}
	return value
}

// none is what a person writes for an empty value, which a form cannot tell from nothing.
const none = "(none)"

// tidy turns what the form of filters sends into the query that it means: without what was left empty, times with their
// zone, and what was typed into the search box as the filter that it looks like. It returns nil when there is nothing to
// be done.
func (v *visit) tidy() (url.Values, error) {
	tidied, typed := url.Values{}, url.Values{}
	for name, values := range v.URL.Query() {
		if filter, form := strings.CutPrefix(name, "f."); form {
			typed[filter] = values
		} else {
			tidied[name] = values // what was set already, over which the form goes
		}
	}
	tidied, typed = event.Renamed(tidied), event.Renamed(typed)
	for _, filter := range slices.Sorted(maps.Keys(typed)) {
		for _, value := range typed[filter] {
			if err := v.addTidied(tidied, filter, strings.TrimSpace(value)); err != nil {
				return nil, err
			}
		}
	}
	if len(typed) == 0 {
		return nil, nil
	}
	return tidied, nil
}

func (v *visit) addTidied(tidied url.Values, filter, value string) error {
	known, _ := event.FilterNamed(filter)
	switch {
	case value == "":
	case filter == "q":
		filter, value = meant(value)
		setTidied(tidied, filter, value)
	case known.IsTime():
		wall, err := time.Parse(inputTime, value[:min(len(value), len(inputTime))])
		if err != nil {
			return problem(http.StatusUnprocessableEntity, "%q is no time such as 2026-01-31T13:00", value)
		}
		if set, err := time.Parse(time.RFC3339Nano, tidied.Get(filter)); err == nil && set.In(v.zone).Format(inputTime) == wall.Format(inputTime) {
			break // left as it was: the form shows neither its seconds nor its offset
		}
		first, last := api.LocalTimes(wall, v.zone)
		if filter == "until" {
			first = last
		}
		setTidied(tidied, filter, first.Format(time.RFC3339))
	case value == none:
		setTidied(tidied, filter, "")
	default:
		setTidied(tidied, filter, value)
	}
	return nil
}

// setTidied sets a filter: beside the values that it has, or in their place where it can have one only. A time ends the span
// of time that was set before it, and the other way round.
func setTidied(tidied url.Values, filter, value string) {
	known, _ := event.FilterNamed(filter)
	switch {
	case filter == "since":
		tidied.Del("from")
		tidied.Del("until")
	case filter == "from" || filter == "until":
		tidied.Del("since")
	}
	switch {
	case !known.Many():
		tidied.Set(filter, value)
	case !slices.Contains(tidied[filter], value):
		tidied.Add(filter, value)
	}
}

// inputTime is a time as inputs of the type datetime-local have it.
const inputTime = "2006-01-02T15:04"

// meant is the filter that a search means: an event's id, a filter by its name (step:paid), or a text.
func meant(search string) (filter, value string) {
	if _, err := uuid.Parse(search); err == nil {
		return "id", search
	}
	if name, value, ok := strings.Cut(search, ":"); ok && value != "" {
		if _, known := event.FilterNamed(name); known {
			return name, value
		}
	}
	return "text", search
}

// preset is a span of time to choose.
type preset struct {
	Label, URL string
	Chosen     bool
}

func presetsOf(f filters) (list []preset) {
	for _, p := range []struct{ label, since string }{{"15 min", "15m"}, {"1 h", "1h"}, {"24 h", "24h"}, {"7 d", "7d"}, {"30 d", "30d"}, {"all", ""}} {
		values := f.without("since", "from", "until")
		if p.since != "" {
			values.Set("since", p.since)
		}
		list = append(list, preset{p.label, link("/", values), f.Get("since") == p.since && f.From == nil == (p.since == "") && f.Until == nil})
	}
	return list
}

// filterForm is what the form of filters offers.
type filterForm struct {
	Inputs []input
	Keep   url.Values // goes on being set
}

// input is a filter in the form. One that can have several values adds one to them; others show the value that is set.
type input struct {
	event.Filter
	Value   string
	Choices []choice // nil for what is typed in
}

// choice is a value to choose. The first is that nothing is chosen.
type choice struct {
	Value, Text string
	Chosen      bool
}

// Title is its label as a sentence begins.
func (i input) Title() string {
	first, size := utf8.DecodeRuneInString(i.Label)
	return string(unicode.ToUpper(first)) + i.Label[size:]
}

// Wide reports whether its values are long.
func (i input) Wide() bool { return !i.Many() && !i.IsTime() && i.Choices == nil }

func (v *visit) filterForm(f filters) filterForm {
	form := filterForm{Keep: f.without()}
	for _, filter := range event.Filters {
		if filter.Name == "since" || filter.Name == "id" { // the presets are for the one, and the search box for the other
			continue
		}
		in := input{Filter: filter}
		switch {
		case filter.IsTime():
			if t, err := time.Parse(time.RFC3339Nano, f.Get(filter.Name)); err == nil {
				in.Value = t.In(v.zone).Format(inputTime)
			}
		case !filter.Many():
			in.Value = f.Get(filter.Name)
			form.Keep.Del(filter.Name)
		}
		in.Choices = v.choices(filter, in.Value)
		form.Inputs = append(form.Inputs, in)
	}
	return form
}

// choices are those of a filter, the one that is set among them.
func (v *visit) choices(f event.Filter, set string) (list []choice) {
	values := f.Known
	switch {
	case f.Names == event.NamesSource:
		for _, s := range v.Sources() {
			values = append(values, s.Name)
		}
	case f.Names == event.NamesEndpoint:
		if values = v.direct.EndpointNames(); set != "" && !slices.Contains(values, set) {
			values = append(values, set) // a URL
		}
	case values == nil:
		return nil
	}
	list = []choice{{}}
	for _, value := range values {
		c := choice{value, value, value == set}
		if f.Known != nil {
			c.Text = say(f.Name, value).Text
		}
		list = append(list, c)
	}
	return list
}
