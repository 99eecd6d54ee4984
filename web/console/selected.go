package console

import (
	"net/url"

	"hooktape/web/api"
)

// selectedPages are the pages that a button of the bar of selected events leads to.
var selectedPages = map[string]string{"replay": "/replays", "csv": "/events.csv", "ndjson": "/events.ndjson",
	"accept": "/accept"}

// useSelected leads to a page about the events that are selected in the list: those with a tick, or all that match.
func useSelected(v *visit) error {
	query := v.URL.Query()
	page, ok := selectedPages[query.Get("do")]
	if !ok {
		return api.Invalidf("unknown action %q", query.Get("do"))
	}
	if query.Get("matching") != "" {
		filters, err := url.ParseQuery(query.Get("query"))
		if err != nil {
			return api.Invalidf("invalid query: %v", err)
		}
		return v.redirect(link(page, filters))
	}
	if len(query["id"]) == 0 {
		return api.Invalidf("no event is selected")
	}
	return v.redirect(link(page, url.Values{"id": query["id"]}))
}
