package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDaily verifies that purging runs once a day, continues after a failed day, and does not run right at the start.
func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 72*time.Hour)
		defer cancel()
		var log strings.Builder
		begun := time.Now()
		var after []time.Duration
		err := daily(ctx, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) (uint64, error) {
			after = append(after, time.Since(begun))
			if len(after) == 1 {
				return 0, errors.New("ClickHouse is away")
			}
			return uint64(len(after)), nil
		})
		if err != nil || len(after) != 3 || after[0] != purgeDelay || after[2]-after[1] != purgeInterval {
			t.Errorf("purged %v, %v", after, err)
		}
		if text := log.String(); !strings.Contains(text, "ClickHouse is away") ||
			!strings.Contains(text, "deliveries=3") {
			t.Errorf("got the log %s", text)
		}
	})
}
