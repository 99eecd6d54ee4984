package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/replay"
	"hooktape/test/harness"
	"hooktape/test/load"
	"hooktape/test/receiver"
)

// deliveries compares delivery with a bare HTTP client loop, on the same cores: (a) a bare http.Client loop that sends
// bodies to a receiver; (b) a replay of as many events to the same receiver by a real hooktape and a real engine, with
// each attempt's intent and outcome on disk (fsync) and in ClickHouse. Then it measures the time from a live webhook to
// its endpoint, the ingest's throughput during a replay, and the memory of the delivering process while very many
// deliveries wait for a dead endpoint.
type deliveries struct {
	*bench
	events      int
	connections int
	pending     int
}

func replays(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	b := &deliveries{}
	flags.IntVar(&b.events, "events", 200_000, "events to send")
	flags.IntVar(&b.connections, "connections", 256, "requests at once")
	flags.IntVar(&b.pending, "pending", 5_000_000, "deliveries that wait for a dead endpoint")
	if b.bench, err = open(ctx, flags, args, stdout); err != nil {
		return err
	}
	defer b.Close()
	bare, err := b.bare(ctx)
	if err != nil {
		return fmt.Errorf("the bare loop: %w", err)
	}
	if err := b.replay(ctx, bare); err != nil {
		return fmt.Errorf("the replay: %w", err)
	}
	if err := b.live(ctx); err != nil {
		return fmt.Errorf("live webhooks: %w", err)
	}
	if err := b.waiting(ctx); err != nil {
		return fmt.Errorf("the dead endpoint: %w", err)
	}
	return b.printFigures()
}

// bare sends the bodies in a loop as fast as possible, and returns how many a second.
func (b *deliveries) bare(ctx context.Context) (rate float64, err error) {
	to, err := receiver.Listen()
	if err != nil {
		return 0, err
	}
	defer to.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: b.connections}}
	defer client.CloseIdleConnections()
	source := simulate.NewWebhooks(seed)
	begun := time.Now()
	workers, ctx := errgroup.WithContext(ctx)
	for n := range b.connections {
		workers.Go(func() error {
			var body []byte
			for i := n; i < b.events; i += b.connections {
				body = source.Append(body[:0], uint64(i))
				r, err := http.NewRequestWithContext(ctx, "POST", to.URL(), bytes.NewReader(body))
				if err != nil {
					return err
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-Hooktape-Event-Id", event.NewID(begun).String()) // for the receiver's ledger
				r.Header.Set("X-Hooktape-Attempt", "1")
				response, err := client.Do(r)
				if err != nil {
					return err
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			return nil
		})
	}
	err = workers.Wait()
	rate = float64(b.events) / time.Since(begun).Seconds()
	b.note("(a) bare loop, deliveries/s", "%.0f", rate)
	return rate, err
}

// database starts an engine with all tables and n events.
func (b *deliveries) database(ctx context.Context, n int) (*harness.Engine, *store.Store, error) {
	engine, dsn, err := b.NewDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(dsn)
	if err != nil {
		return nil, nil, err
	}
	source := simulate.NewWebhooks(seed)
	begin := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	const batch = 20_000
	for from := 0; from < n; from += batch {
		events := make([]event.Event, min(batch, n-from))
		for i := range events {
			at := begin.Add(time.Duration(from+i) * 10 * time.Millisecond)
			events[i] = event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "demo",
				Verdict: event.Accepted, Method: "POST", Path: "/hooks/demo/***",
				RemoteIP: netip.MustParseAddr("192.0.2.1"),
				Headers:  []event.Header{{Name: "Content-Type", Value: "application/json"}},
				Body:     source.Append(nil, uint64(from+i)), TraceID: [16]byte{1}, SpanID: [8]byte{1}},
				Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint((from + i) % 10_000)}}
		}
		if err := db.InsertEvents(ctx, "", events); err != nil {
			return nil, nil, err
		}
	}
	return engine, db, nil
}

// deliver starts a process that delivers to a URL. more continues the endpoint's configuration.
func (b *deliveries) deliver(ctx context.Context, engine *harness.Engine, url, more string) (*harness.Hooktape, error) {
	return b.NewDeliverer(ctx, engine.DSN("hooktape"), fmt.Sprintf(`endpoints:
  - name: crm
    url: %s
    allow_private: true
    concurrency: %d
    breaker: {failures: 10, probe_after: 1s, probe_max: 5s}
`, url, b.connections)+more)
}

const subscribed = "    subscribe: {}\n"

// create creates a replay of all events.
func (b *deliveries) create(ctx context.Context, db *store.Store, url string) (event.Replay, error) {
	crm := replay.DefaultEndpoint("crm", url)
	crm.AllowPrivate = true
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, true)
	return service.Create(ctx, replay.Actor{Name: "bench"}, "",
		replay.Request{To: "crm", ReplayOptions: event.ReplayOptions{Concurrency: uint16(b.connections)}})
}

// replay sends stored events with a hooktape process. bare is the rate of the bare loop.
func (b *deliveries) replay(ctx context.Context, bare float64) error {
	to, err := receiver.Listen()
	if err != nil {
		return err
	}
	defer to.Close()
	engine, db, err := b.database(ctx, b.events)
	if err != nil {
		return err
	}
	defer engine.Kill()
	defer db.Close()
	h, err := b.deliver(ctx, engine, to.URL(), "")
	if err != nil {
		return err
	}
	defer h.Kill()
	used, err := usage([]*harness.Process{h.Process, engine.Process})
	if err != nil {
		return err
	}
	freezing := time.Now()
	job, err := b.create(ctx, db, to.URL())
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := harness.Until(ctx, 10*time.Minute, "the replay's end", func() bool {
		r, err := db.Replay(ctx, job.ID)
		return err == nil && r.State.Final()
	}); err != nil {
		return err
	}
	rate := float64(b.events) / time.Since(begun).Seconds()
	if n := to.Accepted(); n != b.events {
		return fmt.Errorf("the receiver has %d requests for %d events", n, b.events)
	}
	peak, err := h.PeakRSS()
	if err != nil {
		return err
	}
	cpu, _, err := used(b.events)
	if err != nil {
		return err
	}
	b.atLeast(5000, "(b) replay, deliveries/s", "%.0f", rate)
	b.atLeast(0.5, "(b)/(a)", "%.2f", rate/bare)
	b.note("(b) CPU s/1,000 of hooktape", "%.3f", milliseconds(cpu[0]))
	b.note("(b) CPU s/1,000 of ClickHouse", "%.3f", milliseconds(cpu[1]))
	b.note("(b) peak RSS, MiB", "%.0f", float64(peak>>20))
	b.atMost(10*float64(b.events)/1e6, fmt.Sprintf("%d events frozen, s", b.events), "%.1f",
		begun.Sub(freezing).Seconds())
	return nil
}

const (
	liveRate = 50 // webhooks a second
	liveTime = 20 * time.Second
	// besideTime is how long the load on the ingest lasts, alone and during a replay.
	besideTime        = 15 * time.Second
	besideConnections = 64
)

// live measures the time from a webhook to its endpoint, and the ingest's throughput during a replay at full speed.
func (b *deliveries) live(ctx context.Context) error {
	engine, ingest, err := b.ingesting(ctx, "")
	if err != nil {
		return err
	}
	defer engine.Kill()
	defer ingest.Kill()
	to, err := receiver.Listen()
	if err != nil {
		return err
	}
	defer to.Close()
	if err := b.latency(ctx, engine, to, ingest.Addr); err != nil {
		return err
	}
	return b.beside(ctx, engine, to, target{ingest.Addr, harness.Source, nil})
}

// latency measures the time from an event's arrival, which its id has, to the request at the endpoint.
func (b *deliveries) latency(ctx context.Context, engine *harness.Engine, to *receiver.Receiver, hooks string) error {
	deliverer, err := b.deliver(ctx, engine, to.URL(), subscribed)
	if err != nil {
		return err
	}
	defer deliverer.Kill()
	if err := harness.Pause(ctx, 5*time.Second); err != nil { // it delivers events stored after its start
		return err
	}
	ledger := load.Start(ctx, load.Options{Addr: hooks, Source: harness.Source, Token: harness.Token,
		Bodies: simulate.NewWebhooks(seed), Connections: 16, Rate: liveRate,
		Requests: uint64(liveRate * liveTime.Seconds())}).Wait()
	b.next = ledger.Next
	if err := harness.Until(ctx, time.Minute, "the last delivery", func() bool {
		return to.Accepted() >= len(ledger.Acks)
	}); err != nil {
		return err
	}
	var took []time.Duration
	for _, r := range to.Receipts() {
		arrival, _, _ := event.IDRange([]uuid.UUID{r.Event})
		took = append(took, r.At.Sub(arrival))
	}
	slices.Sort(took)
	b.atMost(1.5, "live: from arrival to the endpoint, p50, s", "%.2f", took[len(took)/2].Seconds())
	b.note("… p99, s", "%.2f", took[len(took)*99/100].Seconds())
	return nil
}

// beside loads the ingest alone, and again while all stored events are replayed.
func (b *deliveries) beside(ctx context.Context, engine *harness.Engine, to *receiver.Receiver, hooks target) error {
	db, err := store.Open(engine.DSN("hooktape"))
	if err != nil {
		return err
	}
	defer db.Close()
	deliverer, err := b.deliver(ctx, engine, to.URL(), "")
	if err != nil {
		return err
	}
	defer deliverer.Kill()
	alone, err := b.load(ctx, hooks, besideConnections, 0, besideTime, nil)
	if err != nil {
		return err
	}
	begun := to.Accepted()
	job, err := b.create(ctx, db, to.URL())
	if err != nil {
		return err
	}
	if err := harness.Until(ctx, time.Minute, "the replay's beginning", func() bool {
		return to.Accepted() > begun
	}); err != nil {
		return err
	}
	shared, err := b.load(ctx, hooks, besideConnections, 0, besideTime, nil)
	if err != nil {
		return err
	}
	sent := to.Accepted() - begun
	b.say("beside the ingest: %d of %d replayed", sent, job.Total)
	if uint64(sent) >= job.Total {
		return fmt.Errorf("the replay of %d events was over before the load", job.Total)
	}
	b.atLeast(0.5, "webhooks/s beside a replay, of those alone", "%.2f", shared.Rate()/alone.Rate())
	b.note("… webhooks/s alone", "%.0f", alone.Rate())
	return nil
}

// waiting measures the memory of a delivering process while very many deliveries wait for a dead endpoint.
func (b *deliveries) waiting(ctx context.Context) error {
	engine, dsn, err := b.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	if _, err := harness.Database(dsn).Text(ctx, fmt.Sprintf(`INSERT INTO deliveries
		(replay_id, endpoint, event_received_at, event_id, state, updated_at, subscriber, created_at)
		SELECT toUUID('00000000-0000-0000-0000-000000000000'), 'crm', now64(6) - INTERVAL 1 DAY + INTERVAL number MILLISECOND,
			generateUUIDv4(number), 'pending', now64(6), toString(number %% 100000), now64(6)
		FROM numbers(%d)`, b.pending)); err != nil {
		return err
	}
	addr, err := testutil.FreeAddr() // without a listener
	if err != nil {
		return err
	}
	h, err := b.deliver(ctx, engine, "http://"+addr+"/", subscribed)
	if err != nil {
		return err
	}
	defer h.Kill()
	if err := harness.Pause(ctx, 30*time.Second); err != nil {
		return err
	}
	peak, err := h.PeakRSS()
	b.atMost(300, fmt.Sprintf("RSS with %d pending for a dead endpoint, MiB", b.pending), "%.0f", float64(peak>>20))
	return err
}
