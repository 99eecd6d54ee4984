package console

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"hooktape/web/api"
)

const minuteLayout = "2006-01-02 15:04"

// zoneCookie has the browser's time zone, set by console.js. Without it times are in UTC.
const zoneCookie = "hooktape_zone"

func zoneOf(r *http.Request) *time.Location {
	cookie, err := r.Cookie(zoneCookie)
	if err != nil {
		return time.UTC
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil || name == "" || name == "Local" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// zoneName returns a name such as "Europe/Moscow, UTC+3".
func zoneName(zone *time.Location, now time.Time) string {
	if zone == time.UTC {
		return "UTC"
	}
	return zone.String() + ", " + offsetName(now.In(zone))
}

// offsetName returns the offset of the time's zone at that time, such as "UTC+3".
func offsetName(t time.Time) string {
	_, offset := t.Zone()
	sign := "+"
	if offset < 0 {
		sign, offset = "−", -offset
	}
	name := fmt.Sprintf("UTC%s%d", sign, offset/3600)
	if minutes := offset % 3600 / 60; minutes != 0 {
		name += fmt.Sprintf(":%02d", minutes)
	}
	return name
}

// clock formats a time. If clocks in its zone show it twice, because they are set back, its offset follows.
func clock(t time.Time, layout string) string {
	if first, last := api.LocalTimes(t, t.Location()); !first.Equal(last) {
		return t.Format(layout) + " " + offsetName(t)
	}
	return t.Format(layout)
}

// moment is a time in the user's zone.
type moment struct {
	time.Time
	now time.Time
}

// at does not compare with the beginning of the visit: a page that took long would say "in 6 s" of what has happened.
func (v *visit) at(t time.Time) moment { return moment{t.In(v.zone), time.Now()} }

// Full formats the time to the millisecond, with the zone's offset.
func (m moment) Full() string { return m.Format("2006-01-02 15:04:05.000 -07:00") }

// Ago returns the distance from now, such as "5 min ago"; from a day on, the date and the time. console.js has
// the same rule, and keeps an open page up to date.
func (m moment) Ago() string {
	d := m.now.Sub(m.Time)
	var text string
	switch away := d.Abs(); {
	case d >= 0 && d < 2*time.Second:
		return "now"
	case away < time.Minute:
		text = fmt.Sprintf("%d s", away/time.Second)
	case away < time.Hour:
		text = fmt.Sprintf("%d min", away/time.Minute)
	case away < 24*time.Hour:
		text = fmt.Sprintf("%d h %d min", away/time.Hour, away%time.Hour/time.Minute)
	default:
		return clock(m.Time, minuteLayout)
	}
	if d < 0 {
		return "in " + text
	}
	return text + " ago"
}

// when returns the HTML of a time relative to now, with the exact time on hover.
func when(m moment) template.HTML { return timeElement(m, "ago", m.Ago(), m.Full()) }

// minute returns the HTML of a time to the minute, with the exact time on hover.
func minute(m moment) template.HTML {
	return timeElement(m, "minute", clock(m.Time, minuteLayout), m.Full())
}

// exact returns the HTML of a time to the millisecond, with the relative one on hover.
func exact(m moment) template.HTML { return timeElement(m, "exact", m.Full(), m.Ago()) }

// timeElement returns the element of every time on a page; "" for the zero time.
func timeElement(m moment, class, text, title string) template.HTML {
	if m.IsZero() {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<time class="%s" datetime="%s" title="%s">%s</time>`, class,
		m.Format("2006-01-02T15:04:05.000000Z07:00"), title, text))
}

// span formats a duration in its two largest units.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return units(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return units(d, time.Hour, "h", time.Minute, "min")
	}
	return units(d, 24*time.Hour, "d", time.Hour, "h")
}

func units(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	n, rest := d/large, d%large/small
	if rest == 0 {
		return fmt.Sprintf("%d %s", n, largeName)
	}
	return fmt.Sprintf("%d %s %d %s", n, largeName, rest, smallName)
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
