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

// TestWatchPauses verifies that the pauses of a watcher grow while nothing changes or the database does not answer, and
// that a change makes them short again.
func TestWatchPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, enough := time.Now(), errors.New("enough")
		var at []time.Duration
		r := event.Replay{State: event.ReplayRunning, Total: 2}
		err := watch(context.Background(), func() (event.Replay, error) {
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
