package panels_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

// repeated is the middle of the hour from 2 to 3 o'clock, which Berlin has twice on 25 October 2026.
var repeated = time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)

// inZone returns the same engine with another time zone of the server.
func (d database) inZone(zone string) database { return database{d.url + "&session_timezone=" + zone} }

// serversTimeZone verifies that every query returns the same rows in each time zone of the server, also for time ranges
// that begin or end in an hour that the zone has twice.
func serversTimeZone(t *testing.T, db database) {
	db.url += "&date_time_output_format=unix_timestamp"
	queries, err := all()
	if err != nil {
		t.Fatal(err)
	}
	course, _ := simulate.Steps()
	values := map[string][]string{"source": {"course"}, "goals": {strings.Join(course, ",")}, "window_days": {"1"},
		"attribution": {"first"}}
	answered := 0
	for _, q := range queries {
		for _, v := range []dashboards.View{
			{From: repeated.Add(-30 * time.Minute), To: repeated.Add(72 * time.Hour)},
			{From: repeated.Add(-72 * time.Hour), To: repeated.Add(30 * time.Minute)},
		} {
			v.Plugin, v.Zone, v.Values, v.Interval = 4, "Europe/Moscow", values, time.Minute
			sql, err := v.Expand(q.SQL)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(zone string) []string {
				rows, err := db.inZone(zone).ask(sql)
				if err != nil {
					t.Fatalf("%s, %s: %v", q.Dashboard, q.Title, err)
				}
				return lines(rows, func(r row) string {
					for column := range r {
						if column == "Silent for" || column == "Oldest" {
							delete(r, column) // relative to now
						}
					}
					return fmt.Sprint(r)
				})
			}
			want, got := ask("UTC"), ask("Europe/Berlin")
			slices.Sort(want)
			slices.Sort(got)
			if answered += len(want); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s from %s to %s: Berlin shows\n%s\nUTC shows\n%s", q.Dashboard, q.Title, v.From, v.To,
					strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	if answered < 500 {
		t.Errorf("only %d rows were compared", answered)
	}
}

// TestLeadsOfTheRepeatedHour verifies that a range counts one lead in each pass of the repeated hour.
func TestLeadsOfTheRepeatedHour(t *testing.T) {
	db, stored := empty(t)
	var events []event.Event
	for i, minutes := range []int{-15, 15} {
		at := repeated.Add(time.Duration(minutes) * time.Minute)
		events = append(events, event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "s",
			Step: "start", Verdict: event.Accepted},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(i + 1)}})
	}
	if err := stored.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range []int{3, 4} {
		for _, c := range []struct{ from, to, want int }{{-30, 0, 1}, {0, 30, 1}, {-30, 30, 2}, {-90, 0, 1}, {0, 90, 1},
			{-90, -20, 0}, {20, 90, 0}} {
			v := dashboards.View{From: repeated.Add(time.Duration(c.from) * time.Minute),
				To: repeated.Add(time.Duration(c.to) * time.Minute), Plugin: plugin,
				Values: map[string][]string{"source": {"s"}, "goals": {"start"}, "window_days": {"1"},
					"attribution": {"first"}}}
			rows := db.inZone("Europe/Berlin").see(t, conversion, "Leads and conversions", v)
			if got := rows[len(rows)-1].n("Leads"); got != uint64(c.want) {
				t.Errorf("plugin %d: from %+d to %+d minutes there are %d leads, want %d", plugin, c.from, c.to, got,
					c.want)
			}
		}
	}
}
