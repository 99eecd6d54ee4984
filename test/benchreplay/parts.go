package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/replay"
	"hooktape/test/harness"
	"hooktape/test/receiver"
)

const settings = `endpoints:
  - name: crm
    url: %s
    allow_private: true
    concurrency: %d
    breaker: {failures: %d, probe_after: 1s, probe_max: 5s}
`

// bare sends the bodies in a loop as fast as possible.
func (b *bench) bare(ctx context.Context) (speed, error) {
	receiver, err := receiver.Listen()
	if err != nil {
		return speed{}, err
	}
	defer receiver.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: b.connections}}
	defer client.CloseIdleConnections()
	source := simulate.NewWebhooks(1)
	begun := time.Now()
	workers, ctx := errgroup.WithContext(ctx)
	for n := range b.connections {
		workers.Go(func() error {
			var body []byte
			for i := n; i < b.events; i += b.connections {
				body = source.Append(body[:0], uint64(i))
				id := event.NewID(begun).String()
				r, err := http.NewRequestWithContext(ctx, "POST", receiver.URL(), bytes.NewReader(body))
				if err != nil {
					return err
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-Hooktape-Event-Id", id) // for the receiver's ledger
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
	return speed{events: b.events, took: time.Since(begun)}, err
}

// database starts an engine with all tables and n events.
func (b *bench) database(ctx context.Context, n int) (*harness.Engine, *store.Store, error) {
	engine, err := b.harness.NewEngine(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(engine.DSN("hooktape"))
	if err != nil {
		return engine, nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return engine, db, err
	}
	source := simulate.NewWebhooks(1)
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
			return engine, db, err
		}
	}
	return engine, db, nil
}

// replay sends stored events with a hooktape process.
func (b *bench) replay(ctx context.Context) (s speed, err error) {
	receiver, err := receiver.Listen()
	if err != nil {
		return s, err
	}
	defer receiver.Close()
	engine, db, err := b.database(ctx, b.events)
	if engine != nil {
		defer engine.Kill()
	}
	if err != nil {
		return s, err
	}
	defer db.Close()
	h, err := b.harness.NewDeliverer(ctx, engine.DSN("hooktape"),
		fmt.Sprintf(settings, receiver.URL(), b.connections, 10))
	if err != nil {
		return s, err
	}
	defer h.Kill()
	crm := replay.DefaultEndpoint("crm", receiver.URL())
	crm.AllowPrivate = true
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, true)
	ours, theirs := cpu(h.Process), cpu(engine.Process)
	frozen := time.Now()
	job, err := service.Create(ctx, replay.Actor{Name: "bench"}, "", replay.Request{To: "crm",
		ReplayOptions: event.ReplayOptions{Concurrency: uint16(b.connections)}})
	if err != nil {
		return s, err
	}
	freezing := time.Since(frozen)
	begun := time.Now()
	if err := harness.Until(ctx, 10*time.Minute, "the replay's end", func() bool {
		r, err := db.Replay(ctx, job.ID)
		return err == nil && r.State.Final()
	}); err != nil {
		return s, err
	}
	s = speed{events: b.events, frozen: freezing, took: time.Since(begun), hooktape: cpu(h.Process) - ours,
		engine: cpu(engine.Process) - theirs}
	s.peak, err = h.PeakRSS()
	if n := receiver.Accepted(); n != b.events {
		return s, fmt.Errorf("the receiver has %d requests for %d events", n, b.events)
	}
	return s, err
}

func cpu(p *harness.Process) time.Duration {
	used, _ := p.CPU()
	return used
}

// waiting measures the memory of a delivering process while very many deliveries wait for a dead endpoint.
func (b *bench) waiting(ctx context.Context) (int64, error) {
	engine, db, err := b.database(ctx, 1000)
	if engine != nil {
		defer engine.Kill()
	}
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if _, err := harness.Database(engine.DSN("hooktape")).Text(ctx, fmt.Sprintf(`INSERT INTO deliveries (replay_id, endpoint, event_received_at, event_id, state, updated_at, subscriber, created_at)
		SELECT toUUID('00000000-0000-0000-0000-000000000000'), 'crm', now64(6) - INTERVAL 1 DAY + INTERVAL number MILLISECOND, generateUUIDv4(number), 'pending', now64(6), toString(number %% 100000), now64(6)
		FROM numbers(%d)`, b.pending)); err != nil {
		return 0, err
	}
	addr, err := testutil.FreeAddr() // without a listener
	if err != nil {
		return 0, err
	}
	h, err := b.harness.NewDeliverer(ctx, engine.DSN("hooktape"),
		fmt.Sprintf(settings, "http://"+addr+"/", b.connections, 10)+"    subscribe: {}\n")
	if err != nil {
		return 0, err
	}
	defer h.Kill()
	if err := harness.Pause(ctx, 30*time.Second); err != nil {
		return 0, err
	}
	return h.PeakRSS()
}
