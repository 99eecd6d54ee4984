package store_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// wholeEvent returns an event with a different value in every field.
func wholeEvent() event.Event {
	return event.Event{
		Received: event.Received{
			ID: idAt(dawn.Add(678*time.Millisecond), 7), ReceivedAt: dawn.Add(678901 * time.Microsecond),
			Source: "демо", Step: "шаг \x00'\\\t\n", Verdict: event.Accepted, Method: "POST",
			Path: "/hooks/demo/***/%D1%88", Query: "a=\xff&b={p0:String}", RemoteIP: netip.MustParseAddr("2001:db8::1"),
			Headers: []event.Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "\xfe"}, {Name: "X-B", Value: ""}},
			Body:    []byte("\xef\xbb\xbf{\x00'\\\"\xff"), BodySHA256: [32]byte{1, 2, 31: 3}, TraceID: [16]byte{4,
				15: 5}, SpanID: [8]byte{6, 7: 7},
		},
		Decoded: event.Decoded{
			Kind: event.KindConversationClosed, EventAt: ptr(dawn.Add(-time.Microsecond)),
			BothelpUserID: "9007199254740993", MessengerUserID: "u", MessengerUsername: "mu",
			CUID: "c", Ref: "r", Name: "Анна", FirstName: "fn", LastName: "ln", Email: "e@x", Phone: "+7",
			ProfileLink: "https://t.me/a", Channel: "telegram",
			ConversationsCount: ptr(uint64(1<<64 - 1)), CreatedAt: ptr(dawn.Add(1 * time.Millisecond)),
			FirstContactAt: ptr(time.UnixMilli(0).UTC()),
			LastContactAt:  ptr(time.Date(2099, 12, 31, 23, 59, 59, 999e6, time.UTC)), UTMSource: "us", UTMMedium: "um",
			UTMCampaign: "осень", UTMContent: "uc", UTMTerm: "ut",
			Fields: map[string]string{"Доп данные": "оплатила", "": "empty key",
				"a'b\\": "\n"}, DecodeError: "key x: no",
		},
		DuplicateOf: idAt(dawn.Add(-time.Hour), 3),
	}
}

// TestEventSurvives verifies that an event is read with the values it was stored with, in every field.
func TestEventSurvives(t *testing.T) {
	d := newDB(t)
	bare := event.Event{Received: event.Received{ID: idAt(dawn, 1), ReceivedAt: dawn, Source: "s",
		Verdict: event.UnknownSource, Method: "GET", Path: "/hooks/s"},
		Decoded: event.Decoded{Kind: event.KindUnknown}}
	whole := wholeEvent()
	before := time.Now().Add(-time.Second)
	d.insert(t, bare, whole)
	for _, want := range []event.Event{bare, whole} {
		got, err := d.Event(background, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.StoredAt.Before(before) || got.StoredAt.After(time.Now().Add(time.Second)) {
			t.Errorf("stored at %s", got.StoredAt)
		}
		want.StoredAt = got.StoredAt
		if want.Headers == nil {
			want.Headers = []event.Header{}
		}
		if want.Body == nil {
			want.Body = []byte{}
		}
		if want.Fields == nil {
			want.Fields = map[string]string{}
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("\n got %+v\nwant %+v", *got, want)
		}
		listed := d.list(t, event.Selection{IDs: []uuid.UUID{want.ID}})
		want.Headers, want.Body = []event.Header{}, []byte{}
		if len(listed) != 1 || !reflect.DeepEqual(listed[0], want) {
			t.Errorf("listed\n%+v\nwant\n%+v", listed, want)
		}
	}
	// Grafana's queries see the time of receipt for an event without its own time.
	if at := d.text(t, "SELECT toString(event_at) FROM events WHERE source = 's'"); at != "2026-03-01 00:00:00.000000" {
		t.Errorf("event_at of an event without one is %s", at)
	}
	if sha := d.text(t, "SELECT body_sha256 || trace_id || span_id FROM events WHERE source = 'демо'"); sha !=
		"0102000000000000000000000000000000000000000000000000000000000003"+"04000000000000000000000000000005"+
			"0600000000000007" {
		t.Errorf("hex columns: %s", sha)
	}
}

// TestHostileSelections verifies that a value selects exactly the rows that have it, whatever characters it contains.
func TestHostileSelections(t *testing.T) {
	values := []string{"", "demo", "'", "\\", "\\'", "\\\\'", "{p0:String}", "{p1:Array(String)}", "a\x00b", "a\nb",
		"a\tb", "a\rb", "осень", "'] OR 1=1 --",
		"%27", "a,b", "[]", "\\N", "NULL", "\\n", "\xff", "🦊", " ", `"`, "`", "?", "$1", "@p0", ":p0",
		"x'; DROP TABLE events; --"}
	d := newDB(t)
	for _, column := range []string{"source", "step"} {
		d.exec(t, "TRUNCATE TABLE "+d.localTable("events"))
		var events []event.Event
		for i, v := range values {
			e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
			if column == "source" {
				e.Source = v
			} else {
				e.Step = v
			}
			events = append(events, e)
		}
		d.insert(t, events...)
		sel := func(list ...string) event.Selection {
			if column == "source" {
				return event.Selection{Sources: list}
			}
			return event.Selection{Steps: list}
		}
		for i, v := range values {
			found, err := d.ListEvents(background, sel(v), store.Page{Limit: 100})
			if err != nil {
				t.Errorf("%s %q: %v", column, v, err)
			} else if !slices.Equal(numbers(found), []int{i}) {
				t.Errorf("%s %q finds %v, want %d", column, v, numbers(found), i)
			}
		}
		if found := d.list(t, sel(values...)); len(found) != len(values) {
			t.Errorf("all values of %s together find %d of %d", column, len(found), len(values))
		}
		if found := d.list(t, sel("no such value")); len(found) != 0 {
			t.Errorf("no value of %s finds %v", column, numbers(found))
		}
	}
}

// TestHostileEndpoints does the same for endpoint names, which are sent as parameters of type String with a different
// escaping.
func TestHostileEndpoints(t *testing.T) {
	d := newDB(t)
	for i, endpoint := range []string{"http://x/'", "http://x/\\", "http://x/\\n", "http://x/a\tb\nc",
		"http://x/{p0:String}", "http://x/ё", "\\N", ""} {
		r := event.Replay{ID: idAt(dawn, i), CreatedAt: dawn.Add(24 * time.Hour), Endpoint: endpoint}
		e := eventAt(dawn.Add(time.Duration(i)*time.Hour), i)
		d.insert(t, e)
		r.Selection.IDs = []uuid.UUID{e.ID}
		if n, err := d.FreezeReplay(background, r); err != nil || n != 1 {
			t.Errorf("%q: %d frozen, %v", endpoint, n, err)
			continue
		}
		due, err := d.OpenDeliveries(background, store.Queue{ReplayID: r.ID, Endpoint: endpoint}, store.Cursor{},
			store.Cursor{}, 10)
		if err != nil || len(due) != 1 || due[0].Endpoint != endpoint {
			t.Errorf("%q: due %+v, %v", endpoint, due, err)
		}
	}
}

func TestSelection(t *testing.T) {
	d := newDB(t)
	verdicts, kinds := event.Verdicts, event.Kinds
	var events []event.Event
	for i := range 28 {
		e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
		e.Verdict, e.Kind = verdicts[i%7], kinds[i%4]
		events = append(events, e)
	}
	d.insert(t, events...)
	if got := numbers(d.list(t, event.Selection{Verdicts: verdicts[1:3], Kinds: kinds[:1]})); !slices.Equal(got,
		[]int{16, 8}) {
		t.Errorf("two verdicts and a kind: %v", got)
	}
	if got := numbers(d.list(t,
		event.Selection{IDs: []uuid.UUID{events[3].ID, events[5].ID, uuid.Nil}})); !slices.Equal(got, []int{5, 3}) {
		t.Errorf("ids: %v", got)
	}
	if got := len(d.list(t, event.Selection{})); got != 28 {
		t.Errorf("everything: %d", got)
	}
}

// TestBoundaries verifies that a range includes From and excludes Until, to the microsecond.
func TestBoundaries(t *testing.T) {
	d := newDB(t)
	at := dawn.Add(123456 * time.Microsecond)
	const step = time.Microsecond
	d.insert(t, eventAt(at.Add(-step), 1), eventAt(at, 2), eventAt(at.Add(step), 3))
	zone := time.FixedZone("", 3*3600)
	for _, c := range []struct {
		from, to *time.Time
		want     []int
	}{
		{&at, nil, []int{3, 2}}, {nil, &at, []int{1}}, {&at, &at, nil},
		{ptr(at.Add(-step)), ptr(at.Add(step)), []int{2, 1}}, {ptr(at.In(zone)), ptr(at.Add(step).In(zone)), []int{2}},
		{ptr(time.Unix(0, 0)), ptr(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), []int{3, 2, 1}},
		{ptr(time.Time{}), ptr(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), []int{3, 2, 1}},
	} {
		found, err := d.ListEvents(background, event.Selection{From: c.from, Until: c.to}, store.Page{Limit: 10})
		if err != nil || !slices.Equal(numbers(found), c.want) {
			t.Errorf("%v to %v: %v, want %v, %v", c.from, c.to, numbers(found), c.want, err)
		}
		plan, err := d.PlanReplay(background, store.PlanRequest{Selection: event.Selection{From: c.from, Until: c.to}})
		if err != nil || int(plan.Count) != len(c.want) {
			t.Errorf("%v to %v: plan %d, want %d, %v", c.from, c.to, plan.Count, len(c.want), err)
		}
	}
}

// TestPages verifies that paging neither skips nor repeats events, also if many have the same microsecond.
func TestPages(t *testing.T) {
	d := newDB(t)
	var events []event.Event
	for i := range 60 {
		e := eventAt(dawn.Add(time.Duration(i/20)*time.Microsecond), i)
		// ids are in another order than the numbers
		e.ID[8] = 0x80 | byte(i*37%64)
		e.ID[15] = byte(i)
		events = append(events, e)
	}
	d.insert(t, events...)
	for _, size := range []int{1, 7, 20, 60, 100} {
		var got []event.Event
		var before *store.Cursor
		for {
			page, err := d.ListEvents(background, event.Selection{}, store.Page{Limit: size, Before: before})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			before = &store.Cursor{At: page[len(page)-1].ReceivedAt, ID: page[len(page)-1].ID}
		}
		seen := map[uuid.UUID]bool{}
		for i, e := range got {
			seen[e.ID] = true
			if i > 0 && e.ReceivedAt.After(got[i-1].ReceivedAt) {
				t.Errorf("pages of %d: not newest first", size)
			}
		}
		if len(got) != 60 || len(seen) != 60 {
			t.Errorf("pages of %d: got %d rows, %d distinct", size, len(got), len(seen))
		}
	}
}

// TestEventsByID verifies reading by id: ids far apart, unknown ids, rows stored twice, and ids that are not of
// hooktape's form.
func TestEventsByID(t *testing.T) {
	d := newDB(t)
	old := eventAt(time.Date(2019, 5, 6, 7, 8, 9, 0, time.UTC), 1)
	recent := eventAt(dawn, 2)
	d.insert(t, recent, old)
	found, err := d.Events(background, []uuid.UUID{recent.ID, idAt(dawn, 99), old.ID, recent.ID})
	if err != nil || !slices.Equal(numbers(found), []int{1, 2}) {
		t.Errorf("found %v, %v", numbers(found), err)
	}
	d.insert(t, recent) // as from a process that lost its spool
	if found, err = d.Events(background, []uuid.UUID{recent.ID}); err != nil || len(found) != 1 {
		t.Errorf("row stored twice: %v, %v", numbers(found), err)
	}
	if found, err := d.Events(background, nil); err != nil || found != nil {
		t.Errorf("no ids: %v, %v", found, err)
	}
	for _, id := range []uuid.UUID{{}, uuid.Max, uuid.MustParse("f47ac10b-58cc-4372-a567-0e02b2c3d479"),
		uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), uuid.MustParse("ffffffff-ffff-7fff-8fff-ffffffffffff"),
		idAt(dawn, 99)} {
		if _, err := d.Event(background, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	stored, err := d.StoredEvents(background, []uuid.UUID{old.ID, recent.ID, idAt(dawn, 99)})
	if err != nil || !reflect.DeepEqual(stored, map[uuid.UUID]bool{old.ID: true, recent.ID: true}) {
		t.Errorf("stored: %v, %v", stored, err)
	}
}

// TestLargeBatches verifies the drain's queries with a large batch.
func TestLargeBatches(t *testing.T) {
	d := newDB(t)
	const n = 10_000
	events := make([]event.Event, n)
	for i := range events {
		events[i] = eventAt(dawn.Add(time.Duration(i)*time.Millisecond), i)
		events[i].BodySHA256 = [32]byte{byte(i), byte(i >> 8), 31: 1}
		events[i].EventAt = ptr(dawn)
	}
	d.insert(t, events...)
	if stored, err := d.StoredEvents(background, idsOf(events)); err != nil || len(stored) != n {
		t.Errorf("%d of %d found as stored, %v", len(stored), n, err)
	}
	again := make([]event.Event, n)
	for i, e := range events {
		e.ID, e.ReceivedAt = idAt(e.ReceivedAt.Add(time.Hour), i), e.ReceivedAt.Add(time.Hour)
		again[i] = e
	}
	if originals, err := d.Originals(background, again); err != nil || len(originals) != n ||
		originals[again[9].ID] != events[9].ID {
		t.Errorf("%d originals found for %d events, %v", len(originals), n, err)
	}
}

func TestOriginals(t *testing.T) {
	d := newDB(t)
	hook := func(n int, at time.Duration, change func(*event.Event)) event.Event {
		e := eventAt(dawn.Add(at), n)
		e.BodySHA256, e.EventAt = [32]byte{9}, ptr(dawn.Add(-time.Second))
		if change != nil {
			change(&e)
		}
		return e
	}
	const day = 24 * time.Hour
	first := hook(1, 0, nil)
	d.insert(t, first, hook(2, 0, func(e *event.Event) { e.Verdict, e.BodySHA256 = event.BadSignature, [32]byte{8} }))
	given := []event.Event{
		hook(10, time.Minute, nil),
		hook(11, day, nil),
		hook(12, day+time.Microsecond, nil),
		hook(13, time.Minute, func(e *event.Event) { e.Source = "other" }),
		hook(14, time.Minute, func(e *event.Event) { e.BodySHA256 = [32]byte{7} }),
		hook(15, time.Minute, func(e *event.Event) { e.EventAt = ptr(dawn) }),
		hook(16, time.Minute, func(e *event.Event) { e.BodySHA256 = [32]byte{8} }), // equal to a rejected event
		hook(17, time.Hour, func(e *event.Event) { e.Source = "twice" }),
		hook(18, 2*time.Hour, func(e *event.Event) { e.Source = "twice" }),
		// a duplicate of the second event; the first is too old
		hook(19, 2*time.Hour+day, func(e *event.Event) { e.Source = "twice" }),
	}
	want := map[uuid.UUID]uuid.UUID{given[0].ID: first.ID, given[1].ID: first.ID, given[2].ID: given[0].ID,
		given[8].ID: given[7].ID, given[9].ID: given[8].ID}
	for round := range 2 { // in the second round all are stored already, as when the drain repeats a batch
		got, err := d.Originals(background, given)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: %v\n got %v\nwant %v", round, err, name(got), name(want))
		}
		d.insert(t, given...)
	}
}

func name(m map[uuid.UUID]uuid.UUID) map[string]string {
	names := map[string]string{}
	for k, v := range m {
		names[fmt.Sprint(int(k[15]))] = fmt.Sprint(int(v[15]))
	}
	return names
}

// TestOriginalsOfOneMicrosecond verifies that of two equal requests of the same microsecond exactly one is the
// original, in whatever order they are stored.
func TestOriginalsOfOneMicrosecond(t *testing.T) {
	for n := range 2 {
		d := newDB(t)
		pair := []event.Event{eventAt(dawn, 1), eventAt(dawn, 2)}
		for i := range pair {
			pair[i].EventAt, pair[i].BodySHA256 = ptr(dawn), [32]byte{9}
		}
		marked := 0
		for _, e := range []event.Event{pair[n], pair[1-n]} {
			originals, err := d.Originals(background, []event.Event{e})
			if err != nil {
				t.Fatal(err)
			}
			marked += len(originals)
			d.insert(t, e)
		}
		if marked != 1 {
			t.Errorf("event %d stored first: %d of the two are marked as duplicates, want 1", n+1, marked)
		}
	}
}

// TestSubscriberKey verifies that a subscriber's key is BotHelp's id if that is a number in BotHelp's spelling. Other
// ids get keys that no such id has, and an event without a subscriber has none.
func TestSubscriberKey(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	numbers := map[string]string{"": "0", "1": "1", "1000042": "1000042", "9223372036854775807": "9223372036854775807"}
	others := []string{"0", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "9223372036854775808", "18446744073709551615",
		"18446744073709551617", "u1", "U1", "Анна", "\x00"}
	var events []event.Event
	for _, id := range append(slices.Collect(maps.Keys(numbers)), others...) {
		e := eventAt(dawn, len(events)+1)
		e.BothelpUserID = id
		events = append(events, e)
	}
	d.insert(t, events...)
	for id, number := range numbers {
		if key := d.text(t, "SELECT toString(subscriber_key) FROM events WHERE bothelp_user_id = '"+
			id+"'"); key != number {
			t.Errorf("key of %q is %s", id, key)
		}
	}
	if n := d.text(t,
		"SELECT toString(uniqExactIf(subscriber_key, subscriber_key > 9223372036854775808)) FROM events"); n != fmt.Sprint(len(others)) {
		t.Errorf("%s of %d other ids have a key of their own", n, len(others))
	}
}
