package api

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestWatchPauses verifies that the pauses of a watcher grow while nothing but the time of the last change differs, or
// the database does not answer, and that a change makes them short again.
func TestWatchPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, enough := time.Now(), errors.New("enough")
		var at []time.Duration
		r := event.Replay{State: event.ReplayRunning, Total: 2}
		err := watch(context.Background(), func() (event.Replay, error) {
			r.UpdatedAt = time.Now()
			switch at = append(at, time.Since(began)); len(at) {
			case 5:
				r.PerSecond = 1
			case 7:
				return r, store.ErrUnavailable
			}
			return r, nil
		}, func(Progress, error) error {
			if len(at) == 12 {
				return enough
			}
			return nil
		})
		want := []time.Duration{0, 1000, 2500, 4750, 8125, 9125, 10625, 12875, 16250, 21250, 26250, 31250}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if err != enough || !slices.Equal(at, want) {
			t.Errorf("readings after %v, want %v; %v", at, want, err)
		}
	})
}

// TestWatchCancelled verifies that a watcher of a cancelled replay waits for the outcomes of its last attempts as long
// as some arrive, also while the database does not answer, and not forever.
func TestWatchCancelled(t *testing.T) {
	for _, lost := range []uint64{0, 1} { // outcomes that never become known
		synctest.Test(t, func(t *testing.T) {
			readings, left := 0, uint64(12)
			var last Progress
			err := watch(context.Background(), func() (event.Replay, error) {
				if readings++; readings%6 != 1 { // five errors in a row
					return event.Replay{}, store.ErrUnavailable
				}
				left = max(left-1, lost)
				return event.Replay{State: event.ReplayCancelled, Total: 12,
					Counts: map[event.DeliveryState]uint64{event.Delivered: 12 - left, event.Delivering: left}}, nil
			}, func(p Progress, _ error) error {
				last = p
				return nil
			})
			if err != nil || !last.last || last.Replay.Open() != lost {
				t.Errorf("after %d readings %d deliveries are open, want %d; %v", readings, last.Replay.Open(), lost, err)
			}
		})
	}
}
