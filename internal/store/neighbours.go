package store

import (
	"context"
	"fmt"

	"hooktape/internal/event"
)

// Neighbours returns the accepted events of a subscriber (BotHelp's id, or the messenger's) right before and right
// after an event, with headers and body; nil where there is none.
func (s *Store) Neighbours(ctx context.Context, subscriber string, of Cursor) (before, after *event.Event, err error) {
	if before, err = s.neighbour(ctx, subscriber, of, "<", "DESC"); err != nil {
		return nil, nil, err
	}
	after, err = s.neighbour(ctx, subscriber, of, ">", "ASC")
	return before, after, err
}

func (s *Store) neighbour(ctx context.Context, subscriber string, of Cursor, side, order string) (*event.Event, error) {
	where, err := s.matching(ctx, ofSubscriber(subscriber))
	if err != nil {
		return nil, err
	}
	at := where.bindTime(of.At)
	where.require("received_at "+side+"= "+at, "(received_at, id) "+side+" ("+at+", "+where.bind("UUID",
		of.ID.String())+")")
	return s.firstEvent(ctx, where, wholeColumns, order)
}

// Touches returns the first and the last accepted event of a subscriber (BotHelp's id, or the messenger's) that have a
// UTM tag, without headers and body; nil if none.
func (s *Store) Touches(ctx context.Context, subscriber string) (first, last *event.Event, err error) {
	if first, err = s.touch(ctx, subscriber, "ASC"); err != nil || first == nil {
		return nil, nil, err
	}
	last, err = s.touch(ctx, subscriber, "DESC")
	return first, last, err
}

func (s *Store) touch(ctx context.Context, subscriber, order string) (*event.Event, error) {
	where, err := s.matching(ctx, ofSubscriber(subscriber))
	if err != nil {
		return nil, err
	}
	where.require("(utm_source != '' OR utm_medium != '' OR utm_campaign != '' OR utm_content != '' OR utm_term != '')")
	return s.firstEvent(ctx, where, briefColumns, order)
}

// firstEvent returns the first event that matches the conditions; nil if none. order is ASC or DESC.
func (s *Store) firstEvent(ctx context.Context, where *conditions, columns, order string) (*event.Event, error) {
	found, err := s.queryEvents(ctx, where, columns, fmt.Sprintf("ORDER BY received_at %[1]s, id %[1]s LIMIT 1", order))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func ofSubscriber(id string) event.Selection {
	return event.Selection{Subscribers: []string{id}, Verdicts: []event.Verdict{event.Accepted}}
}
