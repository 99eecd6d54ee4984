package store_test

import (
	"fmt"
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
