package console

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// none is an empty value as people type it: forms send an empty field for no filter.
const none = "(none)"

// inputTime is the format of an input of the type datetime-local.
const inputTime = "2006-01-02T15:04"

// filterForm is the form of filters.
type filterForm struct {
	Groups []group
	Keep   url.Values // stays in use
}

// group is a part of the form.
type group struct {
	Name   string
	Inputs []input
}

// input is a filter in the form. A filter with several values has a checkbox for each choice and, unless all values are
// known, a field for one more; others have one field.
type input struct {
	event.Filter
	Value   string
	Choices []choice
}

// choice is a value to choose. The first of a filter with one value is empty.
type choice struct {
	Value, Text string
	Chosen      bool
}

// Title returns the label with a capital letter.
func (i input) Title() string {
	first, size := utf8.DecodeRuneInString(i.Label)
	return string(unicode.ToUpper(first)) + i.Label[size:]
}

// Suggests reports whether the page suggests values for it.
func (i input) Suggests() bool { return slices.Contains(suggested, i.Name) }

func (v *visit) filterForm(f filters) filterForm {
	form := filterForm{Keep: f.without()}
	for _, name := range event.FilterGroups {
		g := group{Name: name}
		for _, filter := range event.Filters {
			// The page has presets for since, and the search box for id.
			if filter.Group == name && filter.Name != "since" && filter.Name != "id" {
				g.Inputs = append(g.Inputs, v.input(f, filter))
				if !filter.IsTime() {
					form.Keep.Del(filter.Name)
				}
			}
		}
		form.Groups = append(form.Groups, g)
	}
	return form
}

func (v *visit) input(f filters, filter event.Filter) input {
	in := input{Filter: filter}
	switch {
	case filter.IsTime():
		in.Value = v.shownTime(f.Get(filter.Name))
	case !filter.Many():
		in.Value = f.Get(filter.Name)
	}
	in.Choices = v.choices(filter, f.Values[filter.Name])
	return in
}

// choices returns the choices of a filter, including the current values; nil for a field without choices.
func (v *visit) choices(f event.Filter, current []string) (list []choice) {
	values := slices.Clone(f.Known)
	switch f.Names {
	case event.NamesSource:
		for _, s := range v.Sources() {
			values = append(values, s.Name)
		}
	case event.NamesEndpoint:
		values = v.direct.EndpointNames()
		list = []choice{{}}
	default:
		if f.Known == nil && !f.Many() {
			return nil
		}
	}
	for _, value := range current {
		if !slices.Contains(values, value) && value != "" || value == "" && f.Many() {
			values = append(values, value)
		}
	}
	for _, value := range values {
		c := choice{value, value, slices.Contains(current, value)}
		if f.Known != nil {
			c.Text = labelOf(f.Name, value).Text
		}
		if value == "" {
			c.Value, c.Text = none, none
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
	case filter == "q":
		query.Del("text")
		query.Del("id") // of the search before
		if value != "" {
			filter, value = searched(value)
			query.Del(filter)
			addFilter(query, filter, value)
		}
	case value == "" && known.IsTime():
		query.Del(filter)
	case value == "":
	case known.IsTime():
		if value == v.shownTime(query.Get(filter)) {
			break // unchanged: the form does not show its seconds and offset
		}
		at, err := v.typedTime(filter, value)
		if err != nil {
			return err
		}
		addFilter(query, filter, at)
	case value == none:
		addFilter(query, filter, "")
	default:
		addFilter(query, filter, value)
	}
	return nil
}

// shownTime returns a time of a query as an input of the form has it; "" if there is none.
func (v *visit) shownTime(value string) string {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return ""
	}
	return t.In(v.zone).Format(inputTime)
}

// typedTime returns the time in an input of the form as a query has it; a time of a query stays as it is. Of a time
// that clocks show twice it is the first, for the end of a range the second.
func (v *visit) typedTime(filter, value string) (string, error) {
	if v.shownTime(value) != "" {
		return value, nil
	}
	wall, err := time.Parse(inputTime, value)
	if err != nil {
		wall, err = time.Parse(inputTime+":05", value) // a browser may send seconds
	}
	if err != nil {
		return "", api.Invalidf("invalid time %q: want one such as 2026-01-31T13:00", value)
	}
	first, last := api.LocalTimes(wall, v.zone)
	if strings.HasSuffix(filter, "until") {
		first = last
	}
	return first.Format(time.RFC3339Nano), nil
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

// beginningOfID matches the beginning of an event's id, of the years until 2039, and no number of a phone.
var beginningOfID = regexp.MustCompile(`^01[0-9a-f]{6}-[0-9a-f]{4}-7`)

// searched returns the filter that a text in the search box means: an event's id or its beginning, a filter by its name
// (step:paid), or a text.
func searched(text string) (filter, value string) {
	if id := strings.ToLower(text); event.IsID(event.NamesEvent, id) || beginningOfID.MatchString(id) {
		return "id", id
	}
	if name, value, ok := strings.Cut(text, ":"); ok && value != "" {
		if _, known := event.FilterNamed(name); known {
			return name, strings.TrimSpace(value)
		}
	}
	return "text", text
}
