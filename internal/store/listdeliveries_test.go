package store_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// deliveriesOf returns the numbers of the events of the selected deliveries, read in pages of the given size.
func (d db) deliveriesOf(t *testing.T, query string, size int) (list []int) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	sel, faults := event.ParseDeliverySelection(values, dawn)
	if faults != nil {
		t.Fatalf("%q: %v", query, faults)
	}
	var before *store.DeliveryCursor
	for {
		page, rest, err := d.ListDeliveries(background, sel, store.DeliveryPage{Limit: size, Before: before}, time.Hour)
		if err != nil || rest != nil {
			t.Fatalf("%q: %v, %v", query, rest, err)
		}
		for _, one := range page {
			list = append(list, int(one.EventID[15]))
			before = &store.DeliveryCursor{At: one.EventReceivedAt, ID: one.ID()}
		}
		if len(page) < size {
			return list
		}
	}
}

// TestListDeliveries verifies that each filter finds its deliveries by their newest versions, in pages of any size.
func TestListDeliveries(t *testing.T) {
	d := newDB(t)
	r := newReplay(1)
	if err := d.SaveReplay(background, r); err != nil {
		t.Fatal(err)
	}
	const url1 = "https://x.example/?a=***#12345678"
	at := func(minutes int) time.Time { return dawn.Add(time.Duration(minutes) * time.Minute) }
	one := func(n int, replay uuid.UUID, endpoint string, state event.DeliveryState, attempts uint32, status uint16,
		outcome event.Outcome, answer string) event.Delivery {
		// Each pair of events has the same time of receipt.
		e := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: replay, Endpoint: endpoint,
			EventID: idAt(at(n/2*2), n)},
			EventReceivedAt: at(n / 2 * 2), State: state, Attempts: attempts, StatusCode: status, Outcome: outcome,
			Answer:    answer,
			UpdatedAt: at(100 + n), CreatedAt: at(n), Subscriber: fmt.Sprint("p", n%3)}
		if attempts > 0 {
			e.FirstAttemptAt, e.LastAttemptAt = at(50+n), at(100+n)
		}
		if outcome == event.OutcomeNoConn {
			e.Error = fmt.Sprintf("connect to 127.0.0.%d:80: connection refused; gave up after %d attempts",
				n, attempts)
		}
		return e
	}
	all := []event.Delivery{
		one(0, uuid.Nil, "crm", event.Delivered, 1, 200, event.OutcomeDelivered, "ok"),
		one(1, uuid.Nil, "crm", event.Failed, 3, 503, event.OutcomeStatus, "worker 17 of 20 is busy, id 3f2a-00"),
		one(2, uuid.Nil, "crm", event.Failed, 2, 503, event.OutcomeStatus, "worker 4 of 20 is busy, id 09bc-1f"),
		one(3, uuid.Nil, "crm", event.Retrying, 1, 503, event.OutcomeStatus, "worker 5 of 9 is busy, id 1-22"),
		one(4, uuid.Nil, "crm", event.Failed, 1, 500, event.OutcomeStatus, "=cmd|' /C calc'!A0\x1b[31m"),
		one(5, uuid.Nil, "crm", event.Failed, 8, 0, event.OutcomeNoConn, ""),
		one(6, uuid.Nil, "crm", event.Failed, 9, 0, event.OutcomeNoConn, ""),
		one(7, uuid.Nil, "crm", event.Pending, 0, 0, "", ""),
		one(8, r.ID, "crm", event.Failed, 1, 503, event.OutcomeStatus, "worker 1 of 20 is busy, id 3f2a-00"),
		one(9, r.ID, url1, event.Cancelled, 0, 0, "", ""),
		one(10, uuid.Nil, "sheet", event.Unknown, 1, 0, event.OutcomeUnknown, ""),
	}
	older := slices.Clone(all)
	for i := range older {
		older[i].State, older[i].Attempts, older[i].Outcome = event.Pending, 0, ""
	}
	record(t, d, "", older...)
	record(t, d, "", all...)
	record(t, d, "", older[:5]...)                                          // a late insert of an older version
	record(t, d, "", one(11, uuid.Max, "crm", event.Pending, 0, 0, "", "")) // its replay is still being frozen

	failures, err := d.FailureGroups(background, event.DeliverySelection{}, 2)
	groups := failures.Groups
	if err != nil || len(groups) != 2 || failures.Count != 7 || failures.Resolved != 0 {
		t.Fatalf("%d groups, %v: %+v", len(groups), err, failures)
	}
	busy := groups[0]
	if busy.Line != "worker # of # is busy, id #-#" || busy.StatusCode != 503 || busy.Endpoint != "crm" ||
		busy.Subscribers != 3 ||
		busy.States[event.Failed] != 3 || busy.States[event.Retrying] != 1 || !busy.FirstSeen.Equal(at(51)) ||
		!busy.LastSeen.Equal(at(108)) ||
		busy.Example.EventID != all[8].EventID || busy.Example.ReplayID != r.ID {
		t.Errorf("group of busy failures: %+v", busy)
	}
	if g := groups[1]; g.Line != "connect to #.#.#.#:#: connection refused" || g.Outcome != event.OutcomeNoConn ||
		g.States[event.Failed] != 2 {
		t.Errorf("group of refused connections: %+v", g)
	}
	utc := func(minutes int) string { return at(minutes).Format(time.RFC3339) }
	for query, want := range map[string][]int{
		"":                                            {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"endpoint=crm":                                {8, 7, 6, 5, 4, 3, 2, 1, 0},
		"endpoint=sheet&endpoint=none":                {10},
		"endpoint=" + url.QueryEscape(url1):           {9},
		"state=failed":                                {8, 6, 5, 4, 2, 1},
		"state=pending&state=unknown":                 {10, 7},
		"replay=live&state=failed":                    {6, 5, 4, 2, 1},
		"replay=" + r.ID.String():                     {9, 8},
		"replay=any":                                  {9, 8},
		"replay=live&replay=any":                      {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"replay=live&replay=" + r.ID.String():         {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"event=" + all[4].EventID.String():            {4},
		"subscriber=p0":                               {9, 6, 3, 0},
		"status_code=503":                             {8, 3, 2, 1},
		"status_code=5xx":                             {8, 4, 3, 2, 1},
		"status_code=500&status_code=2xx":             {4, 0},
		"outcome=no_connection":                       {6, 5},
		"group=" + busy.Key:                           {8, 3, 2, 1},
		"group=" + busy.Key + "&state=failed":         {8, 2, 1},
		"group=0000000000000000":                      nil,
		"from=" + utc(6):                              {10, 9, 8, 7, 6},
		"until=" + utc(6):                             {5, 4, 3, 2, 1, 0},
		"from=" + utc(4) + "&until=" + utc(6):         {5, 4},
		"first_attempt_from=" + utc(55):               {10, 8, 6, 5},
		"first_attempt_until=" + utc(52):              {1, 0},
		"last_attempt_from=" + utc(106):               {10, 8, 6},
		"last_attempt_until=" + utc(101):              {0},
		"id=" + all[8].ID().String():                  {8},
		"id=" + all[8].EventID.String() + "-00000000": nil,
		"state=delivered&replay=" + r.ID.String():     nil,
	} {
		for _, size := range []int{1, 3, 100} {
			if got := d.deliveriesOf(t, query, size); !slices.Equal(got, want) {
				t.Errorf("%q in pages of %d: %v, want %v", query, size, got, want)
			}
		}
	}
	counts, err := d.CountSelectedDeliveries(background,
		event.DeliverySelection{States: []event.DeliveryState{event.Failed, event.Cancelled}})
	want := []store.DeliveryCount{{Queue: store.Queue{Endpoint: "crm"}, State: event.Failed, N: 5},
		{Queue: store.Queue{ReplayID: r.ID, Endpoint: "crm"}, State: event.Failed, N: 1},
		{Queue: store.Queue{ReplayID: r.ID, Endpoint: url1}, State: event.Cancelled, N: 1}}
	for i := range counts {
		if counts[i].First.Before(at(0)) || counts[i].Last.After(at(10)) {
			t.Errorf("events were received from %s to %s", counts[i].First, counts[i].Last)
		}
		counts[i].First, counts[i].Last = time.Time{}, time.Time{}
	}
	if err != nil || !slices.Equal(counts, want) {
		t.Errorf("counts %v, %v", counts, err)
	}
	if found := d.deliveriesOf(t, "state=failed&endpoint=crm&event="+all[4].EventID.String(), 1); len(found) != 1 {
		t.Errorf("got the deliveries %v", found)
	}
}
