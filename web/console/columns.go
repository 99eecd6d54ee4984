package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// column is a column of the list of events.
type column struct{ Name, Title string }

// columns lists all columns in their order.
var columns = []column{
	{"time", "Received"}, {"verdict", "Verdict"}, {"place", "Source / step"}, {"kind", "Kind"},
	{"person", "Subscriber"}, {"contact", "Contact"}, {"channel", "Channel"}, {"utm_source", "UTM source"},
	{"utm_medium", "UTM medium"}, {"utm_campaign", "UTM campaign"}, {"utm_content", "UTM content"},
	{"utm_term", "UTM term"}, {"deliveries", "Deliveries"}, {"note", "Not parsed"}, {"address", "Client"}, {"id", "ID"},
}

// rejectedColumns are the columns of a list of rejected requests.
var rejectedColumns = []column{{"time", "Received"}, {"reason", "Rejected because"}, {"place", "Source / step"},
	{"person", "Name"}, {"contact", "Contact"}, {"address", "Client"}, {"accept", "Accept"}}

var defaultColumns = []string{"time", "verdict", "place", "person", "contact", "channel", "utm_source", "deliveries"}

const columnsCookie = "hooktape_columns"

// columns returns the columns that the user has chosen. The time is always visible, because it links to the event. A
// list of rejected requests has columns of its own.
func (v *visit) columns(f filters) (list []column) {
	if f.Rejected {
		return rejectedColumns
	}
	chosen := defaultColumns
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

// saveColumns stores the choice in a cookie.
func saveColumns(v *visit) error {
	var chosen []string
	for _, c := range columns {
		if slices.Contains(v.PostForm["column"], c.Name) {
			chosen = append(chosen, c.Name)
		}
	}
	cookie := &http.Cookie{Name: columnsCookie, Value: strings.Join(chosen, "."), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: secure(v.Request), SameSite: http.SameSiteStrictMode}
	if v.PostForm.Has("default") {
		cookie.MaxAge = -1
	}
	http.SetCookie(v.w, cookie)
	query, _ := url.ParseQuery(v.PostForm.Get("query"))
	return v.redirect(link("/", query))
}
