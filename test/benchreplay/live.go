package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/test/harness"
	"hooktape/test/load"
	"hooktape/test/receiver"
)

const (
	liveRate = 50 // webhooks a second
	liveTime = 20 * time.Second
	// besideTime is how long the load on the ingest lasts, alone and during a replay.
	besideTime        = 15 * time.Second
	besideConnections = 64
)

// beside has the figures of live webhooks.
type beside struct {
	p50, p99 time.Duration // from an event's arrival to the endpoint's request
	alone    float64       // webhooks a second, no replay
	shared   float64       // the same beside a replay at full speed
}

// live measures the time from a webhook to its endpoint, and the ingest's throughput during a replay at full speed.
func (b *bench) live(ctx context.Context) (m beside, err error) {
	engine, err := b.harness.NewEngine(ctx)
	if err != nil {
		return m, err
	}
	defer engine.Kill()
	ingest, err := b.harness.NewHooktape(ctx, engine.DSN("hooktape"), "")
	if err != nil {
		return m, err
	}
	defer ingest.Kill()
	receiver, err := receiver.Listen()
	if err != nil {
		return m, err
	}
	defer receiver.Close()
	to := load.Options{Addr: ingest.Addr, Source: harness.Source, Token: harness.Token, Bodies: simulate.NewWebhooks(1)}
	if m.p50, m.p99, err = b.latency(ctx, engine, receiver, to); err != nil {
		return m, err
	}
	to.First += uint64(liveRate * liveTime.Seconds() * 2)
	return m, b.throughput(ctx, engine, receiver, to, &m)
}

// latency measures the time from an event's arrival, which its id has, to the request at the endpoint.
func (b *bench) latency(ctx context.Context, engine *harness.Engine, receiver *receiver.Receiver, to load.Options) (p50,
	p99 time.Duration, err error) {
	deliverer, err := b.harness.NewDeliverer(ctx, engine.DSN("hooktape"),
		fmt.Sprintf(settings, receiver.URL(), b.connections, 10)+"    subscribe: {}\n")
	if err != nil {
		return 0, 0, err
	}
	defer deliverer.Kill()
	if err := harness.Pause(ctx, 5*time.Second); err != nil { // it delivers events stored after its start
		return 0, 0, err
	}
	to.Connections, to.Rate, to.Requests = 16, liveRate, uint64(liveRate*liveTime.Seconds())
	acks := load.Start(ctx, to).Wait().Acks
	if err := harness.Until(ctx, time.Minute, "the last delivery", func() bool {
		return receiver.Accepted() >= len(acks)
	}); err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	for _, r := range receiver.Receipts() {
		arrival, _, _ := event.IDRange([]uuid.UUID{r.Event})
		took = append(took, r.At.Sub(arrival))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

// throughput loads the ingest alone, and again while all stored events are replayed.
func (b *bench) throughput(ctx context.Context, engine *harness.Engine, receiver *receiver.Receiver, to load.Options,
	m *beside) error {
	db, err := store.Open(engine.DSN("hooktape"))
	if err != nil {
		return err
	}
	defer db.Close()
	deliverer, err := b.harness.NewDeliverer(ctx, engine.DSN("hooktape"),
		fmt.Sprintf(settings, receiver.URL(), b.connections, 10))
	if err != nil {
		return err
	}
	defer deliverer.Kill()
	to.Connections = besideConnections
	loaded := func() *load.Ledger {
		ctx, stop := context.WithTimeout(ctx, besideTime)
		defer stop()
		l := load.Start(ctx, to).Wait()
		to.First = l.Next
		return l
	}
	alone := loaded()
	m.alone = alone.Rate()
	crm := replay.DefaultEndpoint("crm", receiver.URL())
	crm.AllowPrivate = true
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, true)
	job, err := service.Create(ctx, replay.Actor{Name: "bench"}, "",
		replay.Request{To: "crm", ReplayOptions: event.ReplayOptions{Concurrency: uint16(b.connections)}})
	if err != nil {
		return err
	}
	begun := receiver.Accepted()
	if err := harness.Until(ctx, time.Minute, "the replay's beginning", func() bool {
		return receiver.Accepted() > begun
	}); err != nil {
		return err
	}
	m.shared = loaded().Rate()
	sent := receiver.Accepted() - begun
	fmt.Fprintf(b.out, "beside the ingest: %d of %d replayed within %v\n", sent, job.Total, besideTime)
	if uint64(sent) >= job.Total {
		return fmt.Errorf("the replay of %d events was over before the load", job.Total)
	}
	return nil
}
