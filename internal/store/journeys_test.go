package store_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
)

// TestJourneys verifies how many goals each of eight subscribers reached, with one to eight goals. Subscriber n reached
// the first n steps; each one's last request names no step.
func TestJourneys(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	const most = 8
	var events []event.Event
	for subscriber := 1; subscriber <= most; subscriber++ {
		for step := 1; step <= subscriber+1; step++ {
			e := eventAt(dawn.Add(time.Duration(step)*time.Minute), subscriber*10+step)
			e.BothelpUserID = fmt.Sprint(subscriber)
			if step <= subscriber {
				e.Step = fmt.Sprint("s", step)
			}
			events = append(events, e)
		}
	}
	d.insert(t, events...)
	var goals []string
	for n := 1; n <= most; n++ {
		goals = append(goals, fmt.Sprint("s", n))
		var want []string
		for subscriber := 1; subscriber <= most; subscriber++ {
			want = append(want, fmt.Sprintf("%d came to %d, the last at %d, converted: %t", subscriber,
				min(subscriber, n), min(subscriber, n), subscriber >= n))
		}
		got := d.text(t, fmt.Sprintf(`SELECT arrayStringConcat(arraySort(groupArray(format('{} came to {}, the last at {}, converted: {}',
				toString(subscriber_key), toString(reached), toString(dateDiff('minute', toDateTime('%s', 'UTC'), arrayMax(visited_at))), if(converted, 'true', 'false')))), '\n')
			FROM journeys(from = toDateTime('%[1]s', 'UTC'), to = toDateTime('%[1]s', 'UTC') + INTERVAL 1 DAY, source = 'demo', goals = '%s', window_days = '30',
				attribution = 'first', channel = '*', utm_source = '*', utm_medium = '*', utm_campaign = '*', utm_content = '*', utm_term = '*')`,
			dawn.Format(time.DateTime), strings.Join(goals, ",")))
		if got != strings.Join(want, "\n") {
			t.Errorf("%d goals: %s", n, got)
		}
	}
}

// TestJourneysByDefinition compares the view with what its columns mean: windowFunnel over the requests, and the tags of
// the first or the last tagged request. The requests are random: steps in any order and repeated, some of them beside
// the goals, some at the same moment, with tags that a separator or an encoding could break.
func TestJourneysByDefinition(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var events []event.Event
	for i := range 3000 {
		at := dawn.Add(time.Duration(random.IntN(60)) * time.Hour)
		tagged := i%4 != 0
		if tagged { // of requests of the same moment, any has the first tags
			at = at.Add(time.Duration(i) * time.Microsecond)
		}
		e := eventAt(at, i)
		e.BothelpUserID = fmt.Sprint(1 + random.IntN(400))
		e.Step = pick("a", "b", "b", "c", "d, e", "заявка", "x", "")
		tag := func() string { return pick("", "", "vk", ",", "%2C", "a,b", "\xff", "осень", "*") }
		if tagged {
			e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMTerm = tag(), tag(), tag(), tag()
		}
		events = append(events, e)
	}
	d.insert(t, events...)
	for _, goals := range [][]string{{"a"}, {"a", "b"}, {"b", "a"}, {"a", "a"}, {"a", "b", "a"}, {"b", "c", "d, e"},
		{"never", "a"}, {"a", "never"}, {"a", "b", "c", "d, e", "заявка", "x", "b", "a"}} {
		for _, attribution := range []string{"first", "last"} {
			var conditions, visits, encoded []string
			for _, g := range goals {
				conditions = append(conditions, "step = '"+g+"'")
				visits = append(visits, "minIf(received_at, step = '"+g+"')")
				encoded = append(encoded, url.PathEscape(url.PathEscape(g)))
			}
			want := `SELECT subscriber_key, windowFunnel(86400000000)(toUInt64(toUnixTimestamp64Micro(received_at)), ` +
				strings.Join(conditions, ", ") + `) AS reached, reached > 0 AS lead, reached = ` +
				fmt.Sprint(len(goals)) + ` AS converted, [` + strings.Join(visits, ", ") + `] AS visited_at`
			for _, tag := range []string{"source", "medium", "campaign", "term"} {
				want += ", arg" + map[string]string{"first": "Min", "last": "Max"}[attribution] + "If(utm_" + tag +
					", received_at, utm_source != '' OR utm_medium != '' OR utm_campaign != '') AS tag_" + tag
			}
			want += " FROM events WHERE source = 'demo' GROUP BY subscriber_key"
			got := fmt.Sprintf(`SELECT subscriber_key, reached, lead, converted, visited_at, utm_source, utm_medium, utm_campaign, utm_term
				FROM journeys(from = toDateTime('%[1]s', 'UTC'), to = toDateTime('%[1]s', 'UTC') + INTERVAL 9 DAY, source = 'demo', goals = '%[2]s', window_days = '1',
					attribution = '%[3]s', channel = '*', utm_source = '*', utm_medium = '*', utm_campaign = '*', utm_content = '*', utm_term = '*')`,
				dawn.Format(time.DateTime), strings.Join(encoded, ","), attribution)
			for what, sql := range map[string]string{
				"missing": "(" + want + ") EXCEPT ALL (" + got + ")", "wrong": "(" + got + ") EXCEPT ALL (" + want + ")"} {
				if n := d.text(t, "SELECT toString((count(), any(subscriber_key))) FROM ("+sql+")"); n != "(0,0)" {
					t.Errorf("goals %q, %s touch: %s %s", goals, attribution, n, what)
				}
			}
		}
	}
}
