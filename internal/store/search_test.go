package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestSearchEvents continues a search from where it stopped, to its end. It must find each matching event once, newest
// first, and no other.
func TestSearchEvents(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for n := range 90 { // over 3.6 days, two at each time
		e := eventAt(dawn.Add(time.Duration(n/2)*115*time.Minute), n)
		if n%3 == 0 {
			e.Name = "rare"
		}
		events = append(events, e)
	}
	d.insert(t, events...)
	sel := event.Selection{Text: "rare"}
	want := numbers(d.list(t, sel))
	if len(want) != 30 {
		t.Fatalf("%d events match", len(want))
	}
	var got []int
	stops := 0
	page := store.Page{Limit: 7}
	for {
		found, rest, err := d.SearchEvents(background, sel, page, 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, numbers(found)...)
		switch {
		case rest != nil:
			stops++
			page.Before = rest
		case len(found) == page.Limit:
			last := found[len(found)-1]
			page.Before = &store.Cursor{At: last.ReceivedAt, ID: last.ID}
		default:
			if !slices.Equal(got, want) {
				t.Errorf("found %v, want %v", got, want)
			}
			if at, _, err := d.SearchEvents(background, sel, store.Page{Limit: 1000}, time.Minute); err != nil ||
				!slices.Equal(numbers(at), want) {
				t.Errorf("in one call with many steps: %v, %v, want %v", numbers(at), err, want)
			}
			if stops < 10 {
				t.Errorf("the search stopped %d times, want at least 10", stops)
			}
			return
		}
	}
}

func TestSearchEventsWithin(t *testing.T) {
	d := newDB(t)
	d.insert(t, eventAt(dawn, 1), eventAt(dawn.Add(time.Hour), 2), eventAt(dawn.Add(2*time.Hour), 3),
		eventAt(dawn.Add(48*time.Hour), 4))
	for name, test := range map[string]struct {
		sel  event.Selection
		want []int
	}{
		"all of them":         {event.Selection{Where: "true"}, []int{4, 3, 2, 1}},
		"from, included":      {event.Selection{Where: "true", From: ptr(dawn.Add(time.Hour))}, []int{4, 3, 2}},
		"until, not included": {event.Selection{Where: "true", Until: ptr(dawn.Add(2 * time.Hour))}, []int{2, 1}},
		"nothing in that time": {event.Selection{Where: "true", From: ptr(dawn.Add(3 * time.Hour)),
			Until: ptr(dawn.Add(4 * time.Hour))}, nil},
		"before all of them": {event.Selection{Where: "true", Until: ptr(dawn)}, nil},
		"with an index":      {event.Selection{Sources: []string{"demo"}}, []int{4, 3, 2, 1}},
	} {
		found, rest, err := d.SearchEvents(background, test.sel, store.Page{Limit: 10}, time.Minute)
		if err != nil || rest != nil || !slices.Equal(numbers(found), test.want) {
			t.Errorf("%s: found %v, rest %v, %v; want %v", name, numbers(found), rest, err, test.want)
		}
	}
	_, _, err := d.SearchEvents(background, event.Selection{Where: "nothing("}, store.Page{Limit: 10}, time.Minute)
	if _, ok := errors.AsType[*store.ExpressionError](err); !ok {
		t.Errorf("a wrong expression: %v", err)
	}
}

// TestListRejectedEvents verifies that a list of rejected events, which are read in steps of time, has each of them once,
// newest first, whatever page ends between two of the same time.
func TestListRejectedEvents(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	var rejected []int
	for n := range 90 { // over 3.6 days, two at each time
		e := eventAt(dawn.Add(time.Duration(n/2)*115*time.Minute), n)
		if n%3 == 0 {
			e.Verdict = event.BadToken
			rejected = append(rejected, n)
		}
		events = append(events, e)
	}
	d.insert(t, events...)
	slices.Reverse(rejected)
	for name, test := range map[string]struct {
		sel  event.Selection
		want []int
	}{
		"by verdict":  {event.Selection{Verdicts: []event.Verdict{event.BadToken}}, rejected},
		"all":         {event.Selection{Rejected: true}, rejected},
		"in a time":   {event.Selection{Rejected: true, From: &events[30].ReceivedAt, Until: &events[60].ReceivedAt}, rejected[10:20]},
		"another one": {event.Selection{Verdicts: []event.Verdict{event.TooLarge}}, nil},
	} {
		for _, size := range []int{1, 7, 100} {
			var got []int
			page := store.Page{Limit: size}
			for range len(events) {
				found, err := d.ListEvents(background, test.sel, page)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, numbers(found)...)
				if len(found) < size {
					break
				}
				last := found[len(found)-1]
				page.Before = &store.Cursor{At: last.ReceivedAt, ID: last.ID}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s, pages of %d:\n got %v\nwant %v", name, size, got, test.want)
			}
		}
	}
}

func TestNextStep(t *testing.T) {
	for _, c := range []struct{ step, took, left, want time.Duration }{
		{3 * time.Hour, time.Microsecond, 24 * time.Hour, 12 * time.Hour}, // four times the step
		{3 * time.Hour, 0, 24 * time.Hour, 12 * time.Hour},
		{12 * time.Hour, time.Second, 2 * time.Second, 24 * time.Hour}, // what fits into the time left
		{12 * time.Hour, time.Second, 500 * time.Millisecond, 6 * time.Hour},
		{12 * time.Hour, time.Second, time.Millisecond, 3 * time.Hour}, // the shortest step
		{12 * time.Hour, time.Second, -time.Second, 3 * time.Hour},
	} {
		if got := store.NextStep(c.step, c.took, c.left); got != c.want {
			t.Errorf("after a step of %s in %s, with %s left: %s, want %s", c.step, c.took, c.left, got, c.want)
		}
	}
}

// TestSubscriberByEitherID verifies that BotHelp's id and the messenger's both find a person, also together with other
// conditions.
func TestSubscriberByEitherID(t *testing.T) {
	d := newDB(t)
	one := eventAt(dawn, 1)
	two := eventAt(dawn.Add(time.Second), 2)
	three := eventAt(dawn.Add(2*time.Second), 3)
	one.BothelpUserID = "a"
	one.MessengerUserID = "b"
	two.MessengerUserID = "b"
	three.BothelpUserID = "b"
	d.insert(t, one, two, three)
	for id, want := range map[string][]int{"a": {1}, "b": {3, 2, 1}, "": nil} {
		if got := numbers(d.list(t, event.Selection{Subscribers: []string{id}})); !slices.Equal(got, want) {
			t.Errorf("events of %q: %v, want %v", id, got, want)
		}
	}
	if got := numbers(d.list(t, event.Selection{Subscribers: []string{"b"}, From: ptr(dawn.Add(time.Second)),
		Where: "id != toUUID('" + three.ID.String() + "')"})); !slices.Equal(got, []int{2}) {
		t.Errorf("events with other conditions: %v", got)
	}
}
