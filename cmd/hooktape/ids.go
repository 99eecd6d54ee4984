package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// last is the flag of commands about one thing, instead of its id.
type last struct {
	Last bool `help:"Take the newest one, instead of an id."`
}

// lastID is the word for the newest thing, where an id is expected.
const lastID = "last"

// shortest is the fewest characters of an id's beginning. They have a minute of the id's time.
const shortest = 8

// mostCandidates is how many candidates an error about an ambiguous beginning lists.
const mostCandidates = 10

var idBeginning = regexp.MustCompile(`^[0-9a-f-]{8,45}$`)

// choose returns the only id with a beginning. kind is what the ids are of, and list the command that shows them.
func choose(kind, list, beginning string, ids []string) (string, error) {
	var found []string
	for _, id := range ids {
		if strings.HasPrefix(id, beginning) {
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("no %s has an id that begins with %q; `%s` shows ids", kind, beginning, list)
	case len(found) == 1:
		return found[0], nil
	}
	text := strings.Join(found[:min(len(found), mostCandidates)], "\n  ")
	if more := len(found) - mostCandidates; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return "", fmt.Errorf("more than one %s has an id that begins with %q:\n  %s", kind, beginning, text)
}

// reference checks an id, or the beginning of one, that a person gave for a kind of thing.
func reference(kind, list, id string, newest bool) (string, error) {
	id = strings.ToLower(id)
	switch {
	case newest && id != "":
		return "", fmt.Errorf("give an id or --last, not both")
	case newest, id == lastID:
		return lastID, nil
	case id == "":
		return "", fmt.Errorf("give the %s's id, or --last; `%s` shows ids", kind, list)
	case !idBeginning.MatchString(id):
		return "", fmt.Errorf("%q is no %s id, and no beginning of one (at least %d characters); `%s` shows ids", id,
			kind, shortest, list)
	}
	return id, nil
}

// idOf returns the whole id that a person means by one, by the beginning of one, or by last.
type idOf func(e *env, b backend, id string) (string, error)

// asText returns the function for ids as text.
func asText[T fmt.Stringer](of func(*env, backend, string, bool) (T, error)) idOf {
	return func(e *env, b backend, text string) (string, error) {
		id, err := of(e, b, text, false)
		return id.String(), err
	}
}

// replayOf returns the id of the replay that a person means.
func replayOf(e *env, b backend, id string, newest bool) (uuid.UUID, error) {
	const kind, list = "replay", "hooktape replay list"
	id, err := reference(kind, list, id, newest)
	if err != nil {
		return uuid.Nil, err
	}
	if whole, err := uuid.Parse(id); err == nil {
		return whole, nil
	}
	var ids []string
	most := pageSize
	if id == lastID {
		most = 1
	}
	for before, more := uuid.Nil, true; more; {
		replays, err := b.Replays(e.ctx, before, most)
		if err != nil {
			return uuid.Nil, err
		}
		for _, r := range replays {
			ids, before = append(ids, r.ID.String()), r.ID
		}
		more = len(replays) == most && id != lastID
	}
	if id == lastID && len(ids) > 0 {
		return uuid.Parse(ids[0])
	}
	if id, err = choose(kind, list, id, ids); err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(id)
}

// eventOf returns the id of the event that a person means.
func eventOf(e *env, b backend, id string, newest bool) (uuid.UUID, error) {
	return eventAmong(e, b, event.Selection{}, "event", "hooktape events list", id, newest)
}

// rejectedOf returns the id of the rejected event that a person means.
func rejectedOf(e *env, b backend, id string, newest bool) (uuid.UUID, error) {
	return eventAmong(e, b, event.Selection{Rejected: true}, "rejected event", "hooktape events list --rejected", id,
		newest)
}

// eventAmong returns the id of the event that a person means among those of a selection.
func eventAmong(e *env, b backend, sel event.Selection, kind, list, id string, newest bool) (uuid.UUID, error) {
	id, err := reference(kind, list, id, newest)
	if err != nil {
		return uuid.Nil, err
	}
	if whole, err := uuid.Parse(id); err == nil {
		return whole, nil
	}
	most := 1
	if id != lastID {
		most = pageSize
		if sel.From, sel.Until, err = timesOf(id); err != nil {
			return uuid.Nil, err
		}
	}
	var ids []string
	for cursor, more := "", true; more; more = cursor != "" && id != lastID {
		page, err := b.Events(e.ctx, sel, most, cursor)
		if err != nil {
			return uuid.Nil, err
		}
		for _, ev := range page.Events {
			ids = append(ids, ev.ID.String())
		}
		cursor = page.Next
	}
	if id == lastID && len(ids) > 0 {
		return uuid.Parse(ids[0])
	}
	if id, err = choose(kind, list, id, ids); err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(id)
}

// deliveryOf returns the id of the delivery that a person means. An event's id is the beginning of the ids of its
// deliveries.
func deliveryOf(e *env, b backend, id string, newest bool) (event.DeliveryID, error) {
	const kind, list = "delivery", "hooktape deliveries list"
	id, err := reference(kind, list, id, newest)
	if err != nil {
		return event.DeliveryID{}, err
	}
	if whole, err := event.ParseDeliveryID(id); err == nil {
		return whole, nil
	}
	var sel event.DeliverySelection
	most := 1
	if id != lastID {
		most = pageSize
		if sel.From, sel.Until, err = timesOf(id); err != nil {
			return event.DeliveryID{}, err
		}
		if len(id) >= 36 {
			whole, err := uuid.Parse(id[:36])
			if err != nil {
				return event.DeliveryID{}, fmt.Errorf("%q is no delivery id", id)
			}
			sel = event.DeliverySelection{Events: []uuid.UUID{whole}}
		}
	}
	var ids []string
	for cursor, more := "", true; more; more = cursor != "" && id != lastID {
		page, err := b.Deliveries(e.ctx, sel, most, cursor)
		if err != nil {
			return event.DeliveryID{}, err
		}
		for _, d := range page.Deliveries {
			ids = append(ids, d.ID)
		}
		cursor = page.Next
	}
	if id == lastID && len(ids) > 0 {
		return event.ParseDeliveryID(ids[0])
	}
	if id, err = choose(kind, list, id, ids); err != nil {
		return event.DeliveryID{}, err
	}
	return event.ParseDeliveryID(id)
}

// wholeIDs replaces beginnings of ids, and last, among the values of filters by whole ids.
func wholeIDs(e *env, values url.Values, kinds map[string]idOf) error {
	for filter, of := range kinds {
		for i, text := range values[filter] {
			if text == event.LiveDelivery || text == event.AnyReplay || uuid.Validate(text) == nil || len(text) > 36 && idBeginning.MatchString(text) {
				continue
			}
			if err := e.withBackend(func(b backend) error {
				id, err := of(e, b, text)
				values[filter][i] = id
				return err
			}); err != nil {
				return fmt.Errorf("--%s: %w", flagName(filter), err)
			}
		}
	}
	return nil
}

// timesOf returns the first and the last time of receipt of events whose ids have a beginning: the ids are UUIDs of
// version 7 (RFC 9562, section 5.7), which begin with the milliseconds of the Unix time in twelve digits.
func timesOf(beginning string) (from, until *time.Time, err error) {
	digits := strings.ReplaceAll(beginning, "-", "")
	if len(digits) < shortest {
		return nil, nil, fmt.Errorf("%q is too short for the beginning of an id: give at least %d digits", beginning,
			shortest)
	}
	digits = digits[:min(len(digits), 12)]
	at := func(fill string) *time.Time {
		b, _ := hex.DecodeString("0000" + digits + strings.Repeat(fill, 12-len(digits))) // the digits are hexadecimal
		ms := int64(0)
		for _, one := range b {
			ms = ms<<8 | int64(one)
		}
		t := time.UnixMilli(ms).UTC()
		return &t
	}
	from, until = at("0"), at("f")
	*until = until.Add(time.Millisecond)
	if from.Year() > 2200 || until.Year() > 2200 {
		return nil, nil, fmt.Errorf("%q is no beginning of an id of hooktape", beginning)
	}
	return from, until, nil
}
