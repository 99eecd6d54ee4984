package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"hooktape/event"
	"hooktape/store"
)

const (
	followPoll  = 300 * time.Millisecond
	followQuiet = 5 * time.Second // between lines where there is no terminal
	exitFailed  = exitCode(2)     // some deliveries failed for good
)

// follow shows a replay's progress until it is done: a bar on a terminal, else a line now and then. Ending the command
// does not end the replay.
func follow(e *env, db *store.Store, r event.Replay, asJSON bool) error {
	terminal := isTerminal(e)
	begun, lastLine := time.Now(), time.Now()
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for {
		counts, err := db.CountDeliveries(e.ctx, r.ID)
		if err == nil {
			r, err = db.Replay(e.ctx, r.ID)
		}
		if e.ctx.Err() != nil {
			fmt.Fprintf(e.stderr, "\nthe replay goes on; `hooktape replay status %s` tells how far it is\n", r.ID)
			return exitCode(130)
		}
		switch {
		case errors.Is(err, store.ErrUnavailable): // the job goes on; so does the looking
		case err != nil:
			return err
		case r.State != event.ReplayRunning:
			return finish(e, r, counts, asJSON, terminal)
		case terminal && !asJSON:
			fmt.Fprintf(e.stdout, "\r\x1b[K%s", bar(r.Total, counts, time.Since(begun)))
		case time.Since(lastLine) > followQuiet:
			lastLine = time.Now()
			fmt.Fprintln(e.stderr, tally(r.Total, counts))
		}
		select {
		case <-tick.C:
		case <-e.ctx.Done():
		}
	}
}

func isTerminal(e *env) bool {
	file, ok := e.stdout.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func finish(e *env, r event.Replay, counts map[event.DeliveryState]uint64, asJSON, terminal bool) error {
	if asJSON {
		if err := printJSON(e.stdout, replayJSON{r, counts}); err != nil {
			return err
		}
	} else {
		if terminal {
			fmt.Fprint(e.stdout, "\r\x1b[K")
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", r.State, tally(r.Total, counts))
	}
	if counts[event.Delivered] < r.Total {
		return exitFailed
	}
	return nil
}

// tally is a line such as "120 events: 118 delivered, 2 failed".
func tally(total uint64, counts map[event.DeliveryState]uint64) string {
	var parts []string
	for _, state := range []event.DeliveryState{event.Delivered, event.Failed, event.Cancelled, event.Retrying, event.Unknown, event.Delivering, event.Pending} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	return plural(total, "event") + ": " + strings.Join(parts, ", ")
}

// bar is one line: how much is done, the counts, the speed and the time that is left at it.
func bar(total uint64, counts map[event.DeliveryState]uint64, elapsed time.Duration) string {
	done := counts[event.Delivered] + counts[event.Failed] + counts[event.Cancelled]
	line := progressBar(done, total) + "  " + tally(total, counts)
	if speed := float64(done) / elapsed.Seconds(); done > 0 && done < total {
		left := time.Duration(float64(total-done) / speed * float64(time.Second))
		line += fmt.Sprintf("  %.0f/s, %s left", speed, left.Round(time.Second))
	}
	return line
}
