package simulate

import (
	"context"
	"fmt"
	"hash/fnv"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

// BatchSize is the number of events that Backfill inserts at a time.
const BatchSize = 20_000

// Insert stores events once per token; store.InsertEvents is one.
type Insert func(ctx context.Context, token string, events []event.Event) error

// Progress is the progress of a backfill.
type Progress struct {
	Events uint64    // inserted
	Until  time.Time // of the last inserted event
}

// Backfill makes the whole history and inserts it in order of time. It makes and decodes requests on all processors
// while it inserts the batch before. It may be interrupted and repeated: the same account gives the same batches under
// the same tokens, and the server drops batches that it has.
func (a *Account) Backfill(ctx context.Context, insert Insert, each func(Progress)) error {
	return a.backfill(ctx, BatchSize, insert, each)
}

func (a *Account) backfill(ctx context.Context, size int, insert Insert, each func(Progress)) error {
	group, ctx := errgroup.WithContext(ctx)
	batches, made := make(chan []Visit, 1), make(chan []event.Event)
	group.Go(func() error {
		defer close(batches)
		for batch := range a.Batches(size) {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		defer close(made)
		for batch := range batches {
			select {
			case made <- a.Events(batch):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		name, number, total := a.name(), 0, uint64(0)
		for events := range made {
			if err := insert(ctx, fmt.Sprintf("simulate-%s-%d", name, number), events); err != nil {
				return err
			}
			number++
			total += uint64(len(events))
			each(Progress{total, events[len(events)-1].ReceivedAt})
		}
		return nil
	})
	return group.Wait()
}

// Events makes the requests of a batch and decodes them as the drain does, on all processors.
func (a *Account) Events(batch []Visit) []event.Event {
	events := make([]event.Event, len(batch))
	share := (len(batch) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for start := 0; start < len(batch); start += share {
		group.Go(func() error {
			m := maker{Account: a}
			for i := start; i < min(start+share, len(batch)); i++ {
				events[i] = m.request(batch[i])
				bothelp.Read(&events[i], "")
			}
			return nil
		})
	}
	_ = group.Wait()
	return events
}

// name returns a name that differs between accounts.
func (a *Account) name() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %d %d %d %t %q %q", a.Seed, a.From.UnixMicro(), a.until, a.Subscribers, a.Speed, a.Even,
		a.sources, a.ChatSigningToken)
	return fmt.Sprintf("%016x", h.Sum64())
}
