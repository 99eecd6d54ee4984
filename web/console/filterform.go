package console

import (
	"maps"
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

// none is an empty value as people type it: forms send an empty field for no filter.
const none = "(none)"

// inputTime is the format of an input of the type datetime-local.
const inputTime = "2006-01-02T15:04"

// filterForm is the form of filters.
type filterForm struct {
	Inputs []input
	Keep   url.Values // stays in use
}

// input is a filter in the form. A filter with several values gets one more; others show their value.
type input struct {
	event.Filter
	Value   string
	Choices []choice // nil for a text field
}

// choice is a value to choose. The first is empty.
type choice struct {
	Value, Text string
	Chosen      bool
}

// Title returns the label with a capital letter.
func (i input) Title() string {
	first, size := utf8.DecodeRuneInString(i.Label)
	return string(unicode.ToUpper(first)) + i.Label[size:]
}

// Wide reports whether the values are long.
func (i input) Wide() bool { return !i.Many() && !i.IsTime() && i.Choices == nil }

func (v *visit) filterForm(f filters) filterForm {
	form := filterForm{Keep: f.without()}
	for _, filter := range event.Filters {
		if filter.Name == "since" || filter.Name == "id" { // the page has presets for one, and the search box for the other
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

// choices returns the choices of a filter, including the current value.
func (v *visit) choices(f event.Filter, current string) (list []choice) {
	values := f.Known
	switch {
	case f.Names == event.NamesSource:
		for _, s := range v.Sources() {
			values = append(values, s.Name)
		}
	case f.Names == event.NamesEndpoint:
		if values = v.direct.EndpointNames(); current != "" && !slices.Contains(values, current) {
			values = append(values, current) // a URL
		}
	case values == nil:
		return nil
	}
	list = []choice{{}}
	for _, value := range values {
		c := choice{value, value, value == current}
		if f.Known != nil {
			c.Text = labelOf(f.Name, value).Text
		}
		list = append(list, c)
	}
	return list
}

// tidied returns the query that the form of filters means: without empty fields, times with their zone, and the search
// box as the filter that its text looks like. It returns nil if the form was not sent.
func (v *visit) tidied() (url.Values, error) {
	kept, typed := url.Values{}, url.Values{}
	for name, values := range v.URL.Query() {
		if filter, ok := strings.CutPrefix(name, "f."); ok {
			typed[filter] = values
		} else {
			kept[name] = values
		}
	}
	if len(typed) == 0 {
		return nil, nil
	}
	kept, typed = event.Renamed(kept), event.Renamed(typed)
	for _, filter := range slices.Sorted(maps.Keys(typed)) {
		for _, value := range typed[filter] {
			if err := v.addTyped(kept, filter, strings.TrimSpace(value)); err != nil {
				return nil, err
			}
		}
	}
	return kept, nil
}

// addTyped adds a field of the form to a query.
func (v *visit) addTyped(query url.Values, filter, value string) error {
	known, _ := event.FilterNamed(filter)
	switch {
	case value == "":
	case filter == "q":
		filter, value = searched(value)
		addFilter(query, filter, value)
	case known.IsTime():
		wall, err := time.Parse(inputTime, value[:min(len(value), len(inputTime))])
		if err != nil {
			return api.Invalidf("invalid time %q: want one such as 2026-01-31T13:00", value)
		}
		current, err := time.Parse(time.RFC3339Nano, query.Get(filter))
		if err == nil && current.In(v.zone).Format(inputTime) == wall.Format(inputTime) {
			break // unchanged: the form does not show its seconds and offset
		}
		first, last := api.LocalTimes(wall, v.zone)
		if filter == "until" {
			first = last
		}
		addFilter(query, filter, first.Format(time.RFC3339))
	case value == none:
		addFilter(query, filter, "")
	default:
		addFilter(query, filter, value)
	}
	return nil
}

// addFilter adds a value to a filter with several values, and replaces the value of others. since and from or until
// replace each other.
func addFilter(query url.Values, filter, value string) {
	known, _ := event.FilterNamed(filter)
	switch filter {
	case "since":
		query.Del("from")
		query.Del("until")
	case "from", "until":
		query.Del("since")
	}
	switch {
	case !known.Many():
		query.Set(filter, value)
	case !slices.Contains(query[filter], value):
		query.Add(filter, value)
	}
}

// searched returns the filter that a text in the search box means: an event's id, a filter by its name (step:paid), or
// a text.
func searched(text string) (filter, value string) {
	if _, err := uuid.Parse(text); err == nil {
		return "id", text
	}
	if name, value, ok := strings.Cut(text, ":"); ok && value != "" {
		if _, known := event.FilterNamed(name); known {
			return name, value
		}
	}
	return "text", text
}
