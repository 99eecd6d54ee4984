package console

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// filters is the selection in a page's address. Its parameters have the names of the API's.
type filters struct {
	url.Values
	event.Selection
}

// filters reads the selection from the address. own are further parameters of the page.
func (v *visit) filters(own ...string) (filters, error) {
	return v.filtersOf(v.URL.Query(), own...)
}

// filtersOf reads the selection from a query. It refuses unknown parameters: a misspelt filter would select everything.
func (v *visit) filtersOf(query url.Values, own ...string) (filters, error) {
	f := filters{Values: url.Values{}}
	all := event.Renamed(query)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := event.FilterNamed(name); known {
			f.Values[name] = all[name]
		} else if !slices.Contains(own, name) {
			return f, api.Invalidf("there is no filter %q; the filters are the API's query parameters, see /docs", name)
		}
	}
	faults, err := api.WholeIDs(v.Context(), event.Filters, f.Values, v.wholeID)
	if err != nil {
		return f, err
	}
	if len(faults) == 0 {
		f.Selection, faults = event.ParseSelection(f.Values, v.now)
	}
	return f, api.CheckSelection(faults)
}

// with returns the query with parameters added or replaced. pairs are names and values in turn.
func (f filters) with(pairs ...string) string {
	values := maps.Clone(f.Values)
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = []string{pairs[i+1]}
	}
	return values.Encode()
}

// without returns a copy of the query without some parameters.
func (f filters) without(names ...string) url.Values { return without(f.Values, names...) }

// without returns a copy of a query without some parameters.
func without(query url.Values, names ...string) url.Values {
	values := maps.Clone(query)
	for _, name := range names {
		delete(values, name)
	}
	return values
}

// URL returns the address of the list.
func (f filters) URL() string { return link("/", f.Values) }

// link returns the address of a page with a query.
func link(page string, values url.Values) string {
	if len(values) == 0 {
		return page
	}
	return page + "?" + values.Encode()
}

// chip is a filter in use.
type chip struct{ Name, Label, Value, Without string }

// maxChips limits the chips of one filter.
const maxChips = 5

// chips returns the filters in use. With a page, each links to that page without the filter.
func (v *visit) chips(f filters, page string) []chip { return v.chipsOf(event.Filters, f, page) }

// chipsOf returns the chips of a table of filters.
func (v *visit) chipsOf(table []event.Filter, f filters, page string) (list []chip) {
	add := func(filter event.Filter, value string, rest url.Values) {
		c := chip{filter.Name, filter.Label, value, ""}
		if page != "" {
			c.Without = link(page, rest)
		}
		list = append(list, c)
	}
	for _, filter := range table {
		values := f.Values[filter.Name]
		if len(values) > maxChips {
			add(filter, number(len(values))+" values", f.without(filter.Name))
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
	if f.IsFlag() {
		return "yes"
	}
	if f.Known != nil {
		return labelOf(f.Name, value).Text
	}
	if t, err := time.Parse(time.RFC3339Nano, value); err == nil && f.IsTime() {
		layout := time.DateTime
		if t.Second() == 0 {
			layout = minuteLayout
		}
		return clock(t.In(v.zone), layout)
	}
	if d, err := event.ParseSpan(value); err == nil && f.Name == "since" {
		return span(d)
	}
	if value == "" {
		return none
	}
	return value
}

// wider says that nothing was found within the limits of a search, and has the addresses of searches with fewer limits;
// empty where there is no such limit.
type wider struct{ Sentence, AllTime, TextOnly string }

var timeFilters = []string{"since", "from", "until"}

func (v *visit) wider(f filters) (w wider) {
	within, what := "", " matches"
	for _, name := range timeFilters {
		if value := f.Get(name); value != "" {
			if filter, _ := event.FilterNamed(name); filter.IsTime() {
				value = v.chipValue(filter, value)
			}
			within += map[string]string{"since": " in the last ", "from": " from ", "until": " until "}[name] + value
			w.AllTime = link("/", f.without(timeFilters...))
		}
	}
	if f.Text != "" {
		what = " matches “" + f.Text + "”"
	}
	if others := f.without(append(timeFilters, "text")...); len(others) > 0 && f.Text != "" {
		w.TextOnly = link("/", url.Values{"text": {f.Text}})
	}
	w.Sentence = "Nothing" + what + within
	return w
}

// preset is a link that narrows the list, such as to a time range.
type preset struct {
	Label, URL string
	Chosen     bool
}

// presetLabels are the labels of values of since.
var presetLabels = map[string]string{"15m": "15 min", "1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d",
	"90d": "90 d", "365d": "12 months", "": "all"}

// presetsOf returns links to a page for times back from now: one for each value of since in times, where "" selects all
// time. chosen is the one in use.
func presetsOf(page string, query url.Values, chosen string, times ...string) (list []preset) {
	for _, since := range times {
		values := without(query, timeFilters...)
		if since != "" {
			values.Set("since", since)
		}
		list = append(list, preset{presetLabels[since], link(page, values), since == chosen})
	}
	return list
}

// chosenTime returns the value of since in a query. With from or until it is "other", which is no value of since.
func chosenTime(query url.Values) string {
	if query.Get("from")+query.Get("until") != "" {
		return "other"
	}
	return query.Get("since")
}

// tabsOf returns the tabs of the list, which keep all other filters.
func tabsOf(f filters) []preset {
	all := f.without("rejected", "failed", "verdict")
	tab := func(label, flag string, chosen bool) preset {
		values := without(all)
		if flag != "" {
			values.Set(flag, "true")
		}
		return preset{label, link("/", values), chosen}
	}
	return []preset{tab("All", "", !f.Rejected && !f.Failed), tab("Rejected", "rejected", f.Rejected),
		tab("Failed deliveries", "failed", f.Failed && !f.Rejected)}
}
