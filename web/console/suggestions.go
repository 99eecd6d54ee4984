package console

// suggested are the filters with suggestions.
var suggested = []string{"source", "step", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_content",
	"utm_term"}

// suggestion is the frequent values of a filter.
type suggestion struct {
	Filter string
	Values []string
}

// showSuggestions answers with lists of frequent values for the form of filters, which asks for them when it opens.
func showSuggestions(v *visit) error {
	found, err := v.direct.FrequentValues(v.Context(), suggested)
	if err != nil {
		return err
	}
	list := make([]suggestion, len(suggested))
	for i, filter := range suggested {
		list[i] = suggestion{filter, found[filter]}
	}
	return v.part("events", "suggestions", list)
}
