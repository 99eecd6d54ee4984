package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// column is one of the list of events.
type column struct{ Name, Title string }

// columns are all that there are, in the order in which they stand.
var columns = []column{
	{"time", "Received"}, {"verdict", "Verdict"}, {"place", "Source / step"}, {"kind", "Kind"}, {"person", "Subscriber"}, {"contact", "Contact"}, {"channel", "Channel"},
	{"utm_source", "UTM source"}, {"utm_medium", "UTM medium"}, {"utm_campaign", "UTM campaign"}, {"utm_content", "UTM content"}, {"utm_term", "UTM term"},
	{"deliveries", "Deliveries"}, {"note", "Not decoded"}, {"id", "Id"},
}

// usualColumns are shown to those who have not chosen.
var usualColumns = []string{"time", "verdict", "place", "person", "contact", "channel", "utm_source", "deliveries"}

const columnsCookie = "hooktape_columns"

// columns are those that the visitor has chosen. The time is always there: it leads to the event.
func (v *visit) columns() (list []column) {
	chosen := usualColumns
	if cookie, err := v.Cookie(columnsCookie); err == nil {
		chosen = append(strings.Split(cookie.Value, "."), "time")
	}
	for _, c := range columns {
		if slices.Contains(chosen, c.Name) {
			list = append(list, c)
		}
	}
	return list
}

// Shows tells whether a column is shown.
func (p eventsPage) Shows(name string) bool {
	return slices.ContainsFunc(p.Columns, func(c column) bool { return c.Name == name })
}

// keepColumns remembers a choice in the browser.
func keepColumns(v *visit) error {
	var chosen []string
	for _, c := range columns {
		if slices.Contains(v.PostForm["column"], c.Name) {
			chosen = append(chosen, c.Name)
		}
	}
	cookie := &http.Cookie{Name: columnsCookie, Value: strings.Join(chosen, "."), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: secure(v.Request), SameSite: http.SameSiteStrictMode}
	if v.PostForm.Has("usual") {
		cookie.MaxAge = -1
	}
	http.SetCookie(v.w, cookie)
	query, _ := url.ParseQuery(v.PostForm.Get("query"))
	return v.see(link("/", query))
}
