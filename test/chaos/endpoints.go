package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/test/harness"
	"hooktape/test/load"
	"hooktape/test/receiver"
)

// The faults of an endpoint, under live traffic ordered by subscriber.

func endpointDown(ctx context.Context, t *trial) error {
	return t.endpointFails(ctx, hasty, func(s *receiver.Receiver) (recover func() error) {
		s.Down()
		return s.Up
	})
}

func endpointFlapping(ctx context.Context, t *trial) error {
	const every = 300 * time.Millisecond
	return t.endpointFails(ctx, hasty, func(s *receiver.Receiver) (recover func() error) {
		flapping, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			s.Flap(flapping, every, receiver.Unavailable, receiver.OK, receiver.Reset, receiver.OK)
			close(done)
		}()
		return func() error { stop(); <-done; return nil }
	})
}

func endpointHanging(ctx context.Context, t *trial) error {
	return t.endpointFails(ctx, hasty, behaves(receiver.Hang))
}

func endpointBusy(ctx context.Context, t *trial) error {
	return t.endpointFails(ctx, patient, behaves(receiver.Busy(t.retryAfter)))
}

func behaves(b receiver.Behaviour) func(*receiver.Receiver) func() error {
	return func(s *receiver.Receiver) (recover func() error) {
		s.Behave(b)
		return func() error { s.Behave(receiver.OK); return nil }
	}
}

// endpointFails makes the endpoint fail for a while. The traffic continues until the endpoint gets events again.
func (t *trial) endpointFails(ctx context.Context, how sending,
	fail func(*receiver.Receiver) (recover func() error)) error {
	if err := t.beginLive(ctx, how); err != nil {
		return err
	}
	recover := fail(t.delivery.receiver)
	t.say(t.name, "for %v, after %d requests", t.down, t.delivery.receiver.Requests())
	err := harness.Pause(ctx, t.down)
	if err := errors.Join(err, recover()); err != nil {
		return err
	}
	t.say(t.name, "over; %d requests, %d of them accepted", t.delivery.receiver.Requests(),
		t.delivery.receiver.Accepted())
	return t.arrives(ctx)
}

// replayKilled kills the replaying process at a random moment in each part of the replay. The last process completes
// it. The endpoint refuses the events of some subscribers for good.
func replayKilled(ctx context.Context, t *trial) error {
	if err := t.fillFor(ctx); err != nil {
		return err
	}
	if err := t.beginDelivery(ctx, hasty, ""); err != nil {
		return err
	}
	t.delivery.receiver.Refuse(func(subscriber uint64) bool { return subscriber%41 == 0 })
	if err := t.createReplay(ctx); err != nil {
		return err
	}
	for i := range t.kills {
		moment := int((float64(i) + rand.Float64()) / float64(t.kills+1) * float64(t.replayed))
		if err := t.until(ctx, fmt.Sprintf("request %d", moment), func() bool {
			return t.delivery.receiver.Requests() >= moment
		}); err != nil {
			return err
		}
		t.delivery.Kill()
		done := t.number(ctx, "SELECT countIf(state LIKE 'completed%') FROM replays")
		if done > 0 {
			return fmt.Errorf("the replay ended after %d of %d kills: the test proves nothing", i, t.kills)
		}
		t.say(t.name, "%d of %d, after %d requests", i+1, t.kills, t.delivery.receiver.Requests())
		if err := t.delivery.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fillFor stores the events for the replay.
func (t *trial) fillFor(ctx context.Context) (err error) {
	if t.hooktape, err = t.harness.NewHooktape(ctx, t.dsn(), ""); err != nil {
		return err
	}
	t.addr = t.hooktape.Addr
	if err := t.startLoadOf(ctx, load.Options{Bodies: simulate.NewWebhooks(seed).Among(subscribers),
		Requests: t.replayed}); err != nil {
		return err
	}
	if ledger := t.load.Wait(); len(ledger.Acks) != int(t.replayed) {
		return fmt.Errorf("%d of %d requests were acknowledged", len(ledger.Acks), t.replayed)
	}
	return t.until(ctx, "the events in ClickHouse", func() bool { return t.stored(ctx) == t.replayed })
}

// createReplay creates a replay of all events, as the API and the command line do.
func (t *trial) createReplay(ctx context.Context) error {
	db, err := store.Open(t.dsn())
	if err != nil {
		return err
	}
	defer db.Close()
	crm := replay.DefaultEndpoint(endpoint, t.delivery.receiver.URL())
	crm.AllowPrivate = true
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, true)
	job, err := service.Create(ctx, replay.Actor{Name: "chaos", RemoteIP: netip.IPv6Loopback()}, "",
		replay.Request{To: endpoint,
			ReplayOptions: event.ReplayOptions{Rate: t.replayRate, Concurrency: 64, Order: event.OrderSubscriber}})
	t.delivery.replay = job.ID
	return err
}
