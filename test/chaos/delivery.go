package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
	"hooktape/test/receiver"
)

// delivery is the delivering process of hooktape in a trial, with its endpoint.
type delivery struct {
	*harness.Hooktape
	receiver *receiver.Receiver
	replay   uuid.UUID // zero: live
}

// endpointFaults are failures between ClickHouse and an endpoint.
var endpointFaults = []fault{
	{name: "endpoint down", strike: endpointDown},
	{name: "endpoint flapping", strike: endpointFlapping},
	{name: "endpoint hanging", strike: endpointHanging},
	{name: "endpoint busy (429)", strike: endpointBusy},
	{name: "replay killed", strike: replayKilled},
	{name: "clocks moved", strike: clocksMoved},
	{name: "frozen for long", strike: clickHouseFrozenLong},
	{name: "config written", strike: configWritten},
}

const (
	endpoint = "crm"
	// subscribers is small, so that each subscriber has many events to keep in order.
	subscribers = 200
	// endpointSettings allows many attempts, so that no delivery fails, and has short delays, so that the run takes
	// little time.
	endpointSettings = `endpoints:
  - name: crm
    url: %s
    allow_private: true
    timeout: %v
    concurrency: %d
    order: subscriber
    retry: {schedule: [200ms, 500ms, 1s, 2s], max_attempts: 1000}
    breaker: {failures: 10, probe_after: 500ms, probe_max: 2s}
`
	// subscribed subscribes the endpoint to all sources.
	subscribed = "    subscribe: {}\n"
)

// sending is how requests are sent to an endpoint.
type sending struct {
	timeout     time.Duration
	concurrency int
}

var (
	hasty   = sending{timeout: time.Second, concurrency: 64}
	patient = sending{timeout: time.Minute, concurrency: 8} // reads every answer, also on a busy machine
)

// judgeReceived counts the results of the deliveries.
func (t *trial) judgeReceived(ctx context.Context) (any, error) {
	t.load.Stop()
	// After a timeout it still counts what there is.
	late, r := errors.Join(t.settle(ctx), t.settleDeliveries(ctx)), &receivedRow{fault: t.name}
	err := errors.Join(late, t.countReceived(ctx, r), r.broken())
	t.say(t.name, "%d selected, %d delivered, %d attempts", r.selected, r.delivered, r.attempts)
	return r, err
}

// beginDelivery starts a process that delivers to a receiver.
func (t *trial) beginDelivery(ctx context.Context, how sending, settings string) error {
	s, err := receiver.Listen()
	if err != nil {
		return err
	}
	t.delivery = &delivery{receiver: s}
	t.delivery.Hooktape, err = t.harness.NewDeliverer(ctx, t.dsn(),
		fmt.Sprintf(endpointSettings, s.URL(), how.timeout, how.concurrency)+settings)
	return err
}

// beginLive starts a load whose events are delivered live. It returns when events arrive at the endpoint.
func (t *trial) beginLive(ctx context.Context, how sending) (err error) {
	if t.hooktape, err = t.harness.NewHooktape(ctx, t.dsn(), ""); err != nil {
		return err
	}
	t.addr = t.hooktape.Addr
	if err := t.beginDelivery(ctx, how, subscribed); err != nil {
		return err
	}
	// An endpoint gets only events that are stored after hooktape first saw it.
	err = t.until(ctx, "the endpoint to be followed", func() bool {
		return t.number(ctx, "SELECT count() FROM endpoint_states WHERE followed_since > fromUnixTimestamp(0)") > 0
	})
	if err != nil {
		return err
	}
	if err := t.startLoadOf(ctx, load.Options{Bodies: simulate.NewWebhooks(seed).Among(subscribers),
		Rate: t.arrivals}); err != nil {
		return err
	}
	return t.arrives(ctx)
}

// arrives waits until the endpoint accepts new events.
func (t *trial) arrives(ctx context.Context) error {
	before := t.delivery.receiver.Accepted()
	return t.until(ctx, "the endpoint to get events", func() bool { return t.delivery.receiver.Accepted() > before+10 })
}

// settleDeliveries waits until all deliveries are final.
func (t *trial) settleDeliveries(ctx context.Context) error {
	const between = 200 * time.Millisecond // because the queries take processor time
	return t.until(ctx, "all events to be delivered or given up", func() bool {
		_ = harness.Pause(ctx, between)
		settled := t.number(ctx, `SELECT count() FROM deliveries FINAL WHERE state IN ('delivered', 'failed')
			AND replay_id = '`+t.delivery.replay.String()+`'`)
		return settled > 0 && settled >= t.number(ctx, "SELECT uniqExact(id) FROM events WHERE verdict = 'accepted'")
	})
}

// number returns the result of a query of one number, 0 while ClickHouse does not answer.
func (t *trial) number(ctx context.Context, sql string) (n uint64) {
	_ = t.query(ctx, func(conn driver.Conn) error { return conn.QueryRow(ctx, sql).Scan(&n) })
	return n
}
