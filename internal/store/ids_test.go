package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// TestIDs verifies that each query for ids returns every id that begins with a text once, in order, at most as many as
// asked for, whichever shards the rows are on.
func TestIDs(t *testing.T) {
	d := newDB(t)
	const n = 20
	var events []event.Event
	var deliveries []event.Delivery
	var eventIDs, deliveryIDs, replayIDs, rejected []string
	for i := range n {
		e := eventAt(dawn, i)
		e.BothelpUserID = fmt.Sprint(i) // events of a person are on one shard
		if i%2 == 0 {
			e.Verdict = event.BadToken
			rejected = append(rejected, e.ID.String())
		}
		live := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: e.ID}, State: event.Pending,
			EventReceivedAt: dawn, UpdatedAt: dawn, Subscriber: e.BothelpUserID}
		replayed := live
		replayed.ReplayID = idAt(dawn, 1000)
		r := newReplay(i)
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
		events, deliveries = append(events, e), append(deliveries, live, replayed)
		eventIDs, replayIDs = append(eventIDs, e.ID.String()), append(replayIDs, r.ID.String())
		deliveryIDs = append(deliveryIDs, live.ID().String(), replayed.ID().String())
	}
	other := eventAt(dawn.Add(time.Hour), n) // its id begins with another text
	d.insert(t, append(events, other)...)
	accepted := events[0]
	accepted.Verdict, accepted.Acceptance.Was = event.Accepted, event.BadToken
	d.insert(t, accepted) // a second row of the same id; the first remains
	record(t, d, "", deliveries...)
	for i := range deliveries {
		deliveries[i].State, deliveries[i].UpdatedAt = event.Delivered, dawn.Add(time.Second)
	}
	record(t, d, "", deliveries...)
	for _, list := range [][]string{eventIDs, deliveryIDs, replayIDs, rejected} {
		slices.Sort(list)
	}

	beginning := idAt(dawn, 0).String()[:13]
	until := dawn.Add(time.Minute)
	for _, c := range []struct {
		name string
		find func(beginning string, limit int) ([]string, error)
		want []string
	}{
		{"events", func(beginning string, limit int) ([]string, error) {
			return d.EventIDs(background, event.Selection{Until: &until}, beginning, limit)
		}, eventIDs},
		{"rejected events", func(beginning string, limit int) ([]string, error) {
			return d.EventIDs(background, event.Selection{Rejected: true}, beginning, limit)
		}, rejected},
		{"deliveries", func(beginning string, limit int) ([]string, error) {
			return d.DeliveryIDs(background, event.DeliverySelection{Until: &until}, beginning, limit)
		}, deliveryIDs},
		{"replays", func(beginning string, limit int) ([]string, error) {
			return d.ReplayIDs(background, beginning, limit)
		}, replayIDs},
	} {
		for _, limit := range []int{1, 3, len(c.want), 100} {
			got, err := c.find(beginning, limit)
			if want := c.want[:min(limit, len(c.want))]; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, at most %d:\n got %v, %v\nwant %v", c.name, limit, got, err, want)
			}
		}
		one := c.want[len(c.want)/2]
		if got, err := c.find(one, 2); err != nil || !slices.Equal(got, []string{one}) {
			t.Errorf("%s, a whole id: %v, %v, want %s", c.name, got, err, one)
		}
		if got, err := c.find(uuid.Max.String()[:8], 2); err != nil || len(got) != 0 {
			t.Errorf("%s, an id of none: %v, %v", c.name, got, err)
		}
	}
}
