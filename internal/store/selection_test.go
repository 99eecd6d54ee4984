package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// awkward are values that careless quoting would change.
var awkward = []string{"Анна", "'", `\`, `\'`, `a"b`, "`", "", "{p0:String}", "a\tb\nc\rd", "x\x00y", "\xff\xfe", "%",
	"'] OR 1=1 --", `\n`, `\N`, "NULL", "🦊"}

// alike returns the numbers of the awkward values that equal v except for case, including v.
func alike(v string) (list []int) {
	for i, other := range awkward {
		if strings.EqualFold(v, other) {
			list = append(list, i)
		}
	}
	return list
}

// listed returns the numbers of the events that a selection finds, oldest first.
func (d db) listed(t *testing.T, sel event.Selection) []int {
	t.Helper()
	got := numbers(d.list(t, sel))
	slices.Reverse(got)
	return got
}

// found is listed and also verifies the selection's count.
func (d db) found(t *testing.T, sel event.Selection) []int {
	t.Helper()
	got := d.listed(t, sel)
	if n, err := d.CountEvents(background, sel, 0); err != nil || int(n) != len(got) {
		t.Errorf("%+v: counted %d events, listed %d, %v", sel, n, len(got), err)
	}
	return got
}

// TestSelectedByOneField verifies that each field finds exactly the events with the value in that field, and none with
// it in another field.
func TestSelectedByOneField(t *testing.T) {
	t.Parallel()
	fields := []struct {
		name string
		set  func(*event.Event, string)
		sel  func(...string) event.Selection
	}{
		{"channel", func(e *event.Event, v string) {
			e.Channel = v
		}, func(v ...string) event.Selection { return event.Selection{Channels: v} }},
		{"utm_source", func(e *event.Event, v string) {
			e.UTMSource = v
		}, func(v ...string) event.Selection { return event.Selection{UTMSources: v} }},
		{"utm_medium", func(e *event.Event, v string) {
			e.UTMMedium = v
		}, func(v ...string) event.Selection { return event.Selection{UTMMediums: v} }},
		{"utm_campaign", func(e *event.Event, v string) {
			e.UTMCampaign = v
		}, func(v ...string) event.Selection { return event.Selection{UTMCampaigns: v} }},
		{"utm_content", func(e *event.Event, v string) {
			e.UTMContent = v
		}, func(v ...string) event.Selection { return event.Selection{UTMContents: v} }},
		{"utm_term", func(e *event.Event, v string) {
			e.UTMTerm = v
		}, func(v ...string) event.Selection { return event.Selection{UTMTerms: v} }},
	}
	d := newDB(t)
	var events []event.Event
	for _, field := range fields {
		for _, v := range awkward {
			n := len(events)
			e := eventAt(dawn.Add(time.Duration(n)*time.Second), n)
			e.Channel = "-"
			e.UTMSource = "-"
			e.UTMMedium = "-"
			e.UTMCampaign = "-"
			e.UTMContent = "-"
			e.UTMTerm = "-"
			field.set(&e, v)
			events = append(events, e)
		}
	}
	d.insert(t, events...)
	for n, field := range fields {
		first := n * len(awkward)
		for i, v := range awkward {
			want := []int{first + i}
			if field.name != "channel" {
				want = want[:0]
				for _, other := range alike(v) {
					want = append(want, first+other)
				}
			}
			if got := d.listed(t, field.sel(v)); !slices.Equal(got, want) {
				t.Errorf("%s %q finds %v, want %v", field.name, v, got, want)
			}
		}
		if got := d.found(t, field.sel(awkward[1], awkward[4])); !slices.Equal(got, []int{first + 1, first + 4}) {
			t.Errorf("two values of %s find %v", field.name, got)
		}
	}
}

// TestSelectedBySubscriber verifies that either id selects, and that an empty id selects no event.
func TestSelectedBySubscriber(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for i, v := range awkward {
		e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
		if i%2 == 0 {
			e.BothelpUserID, e.MessengerUserID = v, "other"
		} else {
			e.BothelpUserID, e.MessengerUserID = "other", v
		}
		events = append(events, e)
	}
	d.insert(t, append(events, eventAt(dawn.Add(time.Hour), 99))...)
	for i, v := range awkward {
		want := []int{i}
		if v == "" {
			want = nil
		}
		if got := d.listed(t, event.Selection{Subscribers: []string{v}}); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", v, got, want)
		}
	}
	if got := d.found(t, event.Selection{Subscribers: []string{"", awkward[0], awkward[3]}}); !slices.Equal(got,
		[]int{0, 3}) {
		t.Errorf("one of each kind: %v", got)
	}
}

// TestSelectedByFields verifies that an event must have all fields, and that a missing field differs from an empty one.
func TestSelectedByFields(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for i, v := range awkward {
		e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
		e.Fields = map[string]string{v: "key", "value of " + v: v, "all": "1"}
		events = append(events, e)
	}
	d.insert(t, append(events, eventAt(dawn.Add(time.Hour), 99))...)
	for i, v := range awkward {
		for _, fields := range []map[string]string{{v: "key"}, {"value of " + v: v}, {"ALL": "1", v: "KEY"}} {
			if got := d.listed(t, event.Selection{Fields: fields}); !slices.Equal(got, alike(v)) {
				t.Errorf("%q finds %v, want %v, which includes %d", fields, got, alike(v), i)
			}
		}
	}
	for _, fields := range []map[string]string{{"absent": ""}, {"all": ""}, {"all": "1", "absent": ""}, {"all": "2"}} {
		if got := d.found(t, event.Selection{Fields: fields}); got != nil {
			t.Errorf("%q finds %v", fields, got)
		}
	}
}

// TestSelectedByState verifies the selection of events that an endpoint accepted or did not, live or in replays; an
// event's last delivery counts.
func TestSelectedByState(t *testing.T) {
	d := newDB(t)
	const endpoint = `crm'\я`
	delivery := func(n int, replay int, endpoint string, state event.DeliveryState, attempts uint32,
		minute int) event.Delivery {
		at := dawn.Add(time.Duration(n) * time.Hour)
		one := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: endpoint, EventID: idAt(at, n)},
			EventReceivedAt: at, State: state, Attempts: attempts,
			UpdatedAt: dawn.Add(time.Duration(minute) * time.Minute)}
		if replay > 0 {
			one.ReplayID = idAt(dawn, 1000+replay)
		}
		return one
	}
	for n := range 9 {
		d.insert(t, eventAt(dawn.Add(time.Duration(n)*time.Hour), n))
	}
	d.insert(t, eventAt(dawn.Add(2*time.Hour), 2)) // stored twice
	if err := d.SaveReplay(background, newReplay(1)); err != nil {
		t.Fatal(err)
	}
	for _, one := range []event.Delivery{
		// 0: nothing at all
		delivery(1, 0, endpoint, event.Delivered, 1, 10),
		// delivered by a replay
		delivery(2, 0, endpoint, event.Failed, 3, 10), delivery(2, 1, endpoint, event.Delivered, 1, 20),
		delivery(3, 0, endpoint, event.Failed, 3, 10),
		// an older delivery is still retrying
		delivery(4, 0, endpoint, event.Failed, 3, 30), delivery(4, 1, endpoint, event.Retrying, 1, 20),
		delivery(5, 0, endpoint, event.Failed, 3, 10), delivery(5, 1, endpoint, event.Pending, 0, 20), // sent again now
		delivery(6, 0, "other", event.Delivered, 1, 10), delivery(6, 1, "other", event.Failed, 1, 20),
		// two versions of one delivery
		delivery(7, 0, endpoint, event.Failed, 1, 10), delivery(7, 0, endpoint, event.Delivered, 2, 20),
		delivery(8, 2, endpoint, event.Delivered, 1, 10), delivery(8, 1, endpoint, event.Failed, 1, 20),
	} {
		record(t, d, "", one) // one part each, so that FINAL has an effect
	}
	for _, c := range []struct {
		name string
		sel  event.Selection
		want []int
	}{
		{"undelivered", event.Selection{UndeliveredTo: endpoint}, []int{0, 3, 4, 5, 6}},
		{"failed", event.Selection{FailedAt: endpoint}, []int{3, 4, 8}},
		{"both", event.Selection{FailedAt: endpoint, UndeliveredTo: endpoint}, []int{3, 4}},
		{"at different endpoints", event.Selection{FailedAt: "other", UndeliveredTo: endpoint}, []int{6}},
		{"bounded", event.Selection{FailedAt: endpoint, From: ptr(dawn.Add(4 * time.Hour)),
			Until: ptr(dawn.Add(8 * time.Hour))}, []int{4}},
		{"bounded at both ends", event.Selection{UndeliveredTo: endpoint, From: ptr(dawn),
			Until: ptr(dawn.Add(time.Hour))}, []int{0}},
		{"by id", event.Selection{UndeliveredTo: endpoint,
			IDs: []uuid.UUID{idAt(dawn.Add(time.Hour), 1), idAt(dawn.Add(3*time.Hour), 3)}}, []int{3}},
		{"no endpoint of that name", event.Selection{FailedAt: endpoint + "x"}, nil},
		{"nothing delivered there", event.Selection{UndeliveredTo: endpoint + "x", Where: "body = '7'"}, []int{7}},
	} {
		if got := d.found(t, c.sel); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestCountEvents verifies that counting stops at its limit.
func TestCountEvents(t *testing.T) {
	d := newDB(t)
	for i := range 5 {
		d.insert(t, eventAt(dawn.Add(time.Duration(i)*time.Second), i))
	}
	for _, c := range []struct{ atMost, want uint64 }{{0, 5}, {3, 3}, {5, 5}, {9, 5}} {
		if n, err := d.CountEvents(background, event.Selection{Where: "source = 'demo'"}, c.atMost); err != nil ||
			n != c.want {
			t.Errorf("at most %d: %d, %v", c.atMost, n, err)
		}
	}
}

// TestPagesOfAnExpression verifies paging together with an expression.
func TestPagesOfAnExpression(t *testing.T) {
	d := newDB(t)
	for i := range 9 {
		d.insert(t, eventAt(dawn.Add(time.Duration(i)*time.Second), i))
	}
	var got []int
	page := store.Page{Limit: 2}
	for {
		events, err := d.ListEvents(background, event.Selection{Where: "toUInt8(body) % 2 = 0 -- even",
			Until: ptr(dawn.Add(7 * time.Second))}, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		got = append(got, numbers(events)...)
		last := events[len(events)-1]
		page.Before = &store.Cursor{At: last.ReceivedAt, ID: last.ID}
	}
	if !slices.Equal(got, []int{6, 4, 2, 0}) {
		t.Errorf("got the pages %v", got)
	}
}
