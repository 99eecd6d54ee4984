package api

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// Forward is the only attempt to forward an event to an endpoint while a bot waited for the answer.
type Forward struct {
	Endpoint string `json:"endpoint" doc:"The endpoint's name."`
	Attempt
}

// forwardOf returns the attempt of an event for which a bot waited; nil if there is none.
func forwardOf(attempts []event.Attempt) *Forward {
	i := slices.IndexFunc(attempts, func(a event.Attempt) bool { return a.Kind == event.AttemptForward })
	if i < 0 {
		return nil
	}
	return &Forward{attempts[i].Endpoint, WholeAttempt(attempts[i])}
}

// addForwards adds to the events of a list what became of those for whose answer a bot waited.
func (d *Direct) addForwards(ctx context.Context, list []Event) error {
	ids, first, last := spread(list)
	found, err := d.store.Forwards(ctx, ids, first, last)
	forwards := map[uuid.UUID]store.Forward{}
	for _, f := range found {
		forwards[f.EventID] = f
	}
	for i := range list {
		f := forwards[list[i].ID]
		list[i].Fallback, list[i].MissingKeys = f.Fallback, f.MissingKeys
		list[i].BrokenOff = event.BrokenOff(f.Fallback, f.Outcome)
	}
	return err
}
