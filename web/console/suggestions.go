package console

import "slices"

// suggested are the filters with suggestions.
var suggested = []string{"source", "step", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_content",
	"utm_term"}

// suggestion is the frequent values of a filter.
type suggestion struct {
	Filter string
	Values []string
	Ticks  []string // the first that the form does not have
}

const maxTicks = 5

// showSuggestions answers with lists of frequent values for the form of filters, which asks for them when it opens.
func showSuggestions(v *visit) error {
	found, err := v.direct.FrequentValues(v.Context(), suggested)
	if err != nil {
		return err
	}
	list := make([]suggestion, len(suggested))
	for i, filter := range suggested {
		list[i] = suggestion{Filter: filter, Values: found[filter]}
		shown := v.URL.Query()["f."+filter]
		if filter == "source" {
			for _, s := range v.Sources() {
				shown = append(shown, s.Name)
			}
		}
		for _, value := range found[filter] {
			if len(list[i].Ticks) < maxTicks && !slices.Contains(shown, value) {
				list[i].Ticks = append(list[i].Ticks, value)
			}
		}
	}
	return v.part("events", "suggestions", list)
}
