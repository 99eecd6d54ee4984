package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/replay"
	"hooktape/replay/api"
)

// filters are a selection as it stands in the URL of a page, under the names of the API's query parameters.
type filters struct {
	url.Values
	event.Selection
}

// filterLabels are the parameters of a selection, and what people call them.
var filterLabels = map[string]string{
	"from": "from", "until": "until", "since": "last", "source": "source", "step": "step", "kind": "kind", "verdict": "verdict", "channel": "channel",
	"subscriber": "subscriber", "utm_source": "utm_source", "utm_medium": "utm_medium", "utm_campaign": "utm_campaign", "utm_content": "utm_content",
	"utm_term": "utm_term", "field": "field", "text": "body has", "id": "event", "undelivered_to": "not delivered to", "failed_at": "given up at", "where": "where",
}

// filters reads the selection from the URL. Parameters that are neither a filter nor one of the page's own are refused:
// a filter with a typing error would select everything.
func (v *visit) filters(own ...string) (filters, error) {
	f := filters{Values: url.Values{}}
	all, err := url.ParseQuery(v.URL.RawQuery)
	if err != nil {
		return f, problem(http.StatusUnprocessableEntity, "the address is not written as a query: %v", err)
	}
	renamed(all)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := filterLabels[name]; known {
			f.Values[name] = all[name]
		} else if !slices.Contains(own, name) {
			return f, problem(http.StatusUnprocessableEntity, "there is no filter %q; those that there are have the names of the API's query parameters, see /docs", name)
		}
	}
	sel, faults := api.ParseSelection(f.Values, v.now)
	f.Selection = sel
	if err := api.FaultsOf(faults); err != nil {
		return f, err
	}
	return f, v.who.MaySelect(sel)
}

// renamed gives a filter that stands under its old name the new one. Where both are there they must be the same, which the
// selection tells by its being there twice.
func renamed(values url.Values) {
	if to, ok := values["to"]; ok {
		delete(values, "to")
		if !slices.Equal(values["until"], to) {
			values["until"] = append(values["until"], to...)
		}
	}
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

// masked is the list of the selected events, without what a URL among the filters may have in its query.
func (f filters) masked() string {
	values := f.without()
	for _, name := range []string{"undelivered_to", "failed_at"} {
		if values.Has(name) {
			values.Set(name, replay.TargetName(values.Get(name)))
		}
	}
	return link("/", values)
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
	defer func() {
		for i := range list {
			if page == "" {
				list[i].Without = ""
			}
		}
	}()
	for _, name := range chipOrder {
		values, label := f.Values[name], filterLabels[name]
		if len(values) > maxChips {
			list = append(list, chip{name, label, number(len(values)) + " of them", link(page, f.without(name))})
			continue
		}
		for i, value := range values {
			rest := f.without()
			rest[name] = slices.Delete(slices.Clone(values), i, i+1)
			list = append(list, chip{name, label, v.chipValue(name, value), link(page, rest)})
		}
	}
	return list
}

var chipOrder = []string{"since", "from", "until", "source", "step", "kind", "verdict", "channel", "subscriber", "utm_source", "utm_medium", "utm_campaign",
	"utm_content", "utm_term", "field", "text", "undelivered_to", "failed_at", "where", "id"}

func (v *visit) chipValue(name, value string) string {
	switch name {
	case "kind", "verdict":
		return say(name, value).Text
	case "from", "until":
		if t, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return strings.TrimSuffix(v.at(t).Format("2006-01-02 15:04:05"), ":00")
		}
	case "since":
		if d, err := api.ParseSpan(value); err == nil {
			return span(d)
		}
	}
	if value == "" {
		return "(none)"
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
	renamed(tidied)
	renamed(typed)
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

// single are the filters that have one value.
var single = []string{"from", "until", "since", "text", "undelivered_to", "failed_at", "where"}

func (v *visit) addTidied(tidied url.Values, filter, value string) error {
	switch {
	case value == "":
	case filter == "q":
		filter, value = meant(value)
		setTidied(tidied, filter, value)
	case filter == "from" || filter == "until":
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
	switch {
	case filter == "since":
		tidied.Del("from")
		tidied.Del("until")
	case filter == "from" || filter == "until":
		tidied.Del("since")
	}
	switch {
	case slices.Contains(single, filter):
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
	if name, value, ok := strings.Cut(search, ":"); ok && filterLabels[name] != "" && value != "" {
		return name, value
	}
	return "text", search
}
