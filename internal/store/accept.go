package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// An event that was rejected and later accepted has two rows with the same id: the rejected one, and a newer one with
// the verdict accepted and the parsed fields. Stored rows never change. Every selection excludes the rejected row (see
// superseded), so that lists and counts have each event once.

// AcceptEvent stores the accepted row of a rejected event. It returns false, and changes nothing, if there is one.
func (s *Store) AcceptEvent(ctx context.Context, e event.Event) (bool, error) {
	if stored, err := s.isAccepted(ctx, e.ID); err != nil || stored {
		return false, err
	}
	// Of two processes that accept it at the same time, the token lets one store it.
	token := "accept " + e.ID.String()
	if err := s.insertEvents(ctx, token, []event.Event{e}); err != nil {
		return false, err
	}
	stored, err := s.isAccepted(ctx, e.ID)
	if err != nil || stored {
		return stored, err
	}
	// As in InsertEventsAgain: a server was killed between the token and the row, or another process is about to
	// finish.
	select {
	case <-time.After(insertSettles):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if stored, err := s.isAccepted(ctx, e.ID); err != nil || stored {
		return stored, err
	}
	err = s.insertEvents(ctx, token+againSuffix, []event.Event{e})
	return err == nil, err
}

func (s *Store) isAccepted(ctx context.Context, id uuid.UUID) (bool, error) {
	where := &conditions{}
	where.identified([]uuid.UUID{id})
	where.require("verdict = 'accepted'")
	accepted := map[uuid.UUID]bool{}
	err := s.addIDs(ctx, "events", where, accepted)
	return accepted[id], err
}

// superseded is the condition that an event was rejected, and accepted later.
func (c *conditions) superseded(sel event.Selection) string {
	return "(verdict != 'accepted' AND id IN (SELECT id FROM events WHERE accepted_by != ''" +
		c.receivedWithin("received_at", sel) + "))"
}

// whole is the condition that a rejected event can be sent: event.Received.Obstacle in SQL.
var whole = "(verdict NOT IN ('" + strings.Join(event.Texts(event.NeverWhole), "', '") + "') AND body != '' AND " +
	"if(arrayExists(h -> lower(h.name) = 'content-length', headers)," +
	" arrayFirst(h -> lower(h.name) = 'content-length', headers).value = toString(length(body))," +
	" isValidJSON(body)))"

// sendableRejected is the condition that an event is rejected and can be sent. Headers and bodies are read of rejected
// events only.
func (c *conditions) sendableRejected(sel event.Selection) string {
	return fmt.Sprintf("id IN (SELECT id FROM events PREWHERE verdict != 'accepted'%s WHERE %s)",
		c.receivedWithin("received_at", sel), whole)
}
