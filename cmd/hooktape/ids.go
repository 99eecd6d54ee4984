package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
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

// idOf returns the id that a person means: a whole one, the only one with a beginning, or the newest. kind is what the
// ids are of, and list the command that shows them. find returns the ids that may have a beginning, the newest first;
// of the empty beginning the newest suffices.
func idOf[ID any](kind, list, given string, newest bool, parse func(string) (ID, error),
	find func(beginning string) ([]string, error)) (none ID, err error) {
	given = strings.ToLower(given)
	both := newest && given != ""
	newest = newest || given == lastID
	switch {
	case both:
		return none, fmt.Errorf("give an id or --last, not both")
	case newest:
		given = ""
	case given == "":
		return none, fmt.Errorf("give the %s's id, or --last; `%s` shows ids", kind, list)
	case !idBeginning.MatchString(given):
		return none, fmt.Errorf("%q is no %s id, and no beginning of one (at least %d characters); `%s` shows ids",
			given, kind, shortest, list)
	}
	if whole, err := parse(given); err == nil {
		return whole, nil
	}
	ids, err := find(given)
	if err != nil {
		return none, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, given) })
	switch {
	case len(ids) == 0 && newest:
		return none, fmt.Errorf("there is no %s yet", kind)
	case len(ids) == 0:
		return none, fmt.Errorf("no %s has an id that begins with %q; `%s` shows ids", kind, given, list)
	case len(ids) == 1 || newest:
		return parse(ids[0])
	}
	text := strings.Join(ids[:min(len(ids), mostCandidates)], "\n  ")
	if more := len(ids) - mostCandidates; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return none, fmt.Errorf("more than one %s has an id that begins with %q:\n  %s", kind, given, text)
}

// replayOf returns the id of the replay that a person means.
func replayOf(e *env, b backend, id string, newest bool) (uuid.UUID, error) {
	return idOf("replay", "hooktape replay list", id, newest, uuid.Parse, func(beginning string) (ids []string,
		err error) {
		limit := 1
		if beginning != "" {
			limit = 0
		}
		before := uuid.Nil
		_, err = readPages(limit, func(size int, _ string) (int, string, error) {
			replays, err := b.Replays(e.ctx, before, size)
			for _, r := range replays {
				ids, before = append(ids, r.ID.String()), r.ID
			}
			if len(replays) < size {
				return len(replays), "", err
			}
			return size, before.String(), err
		})
		return ids, err
	})
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

// eventAmong returns the id of the event that a person means, of those that are selected.
func eventAmong(e *env, b backend, sel event.Selection, kind, list, id string, newest bool) (uuid.UUID, error) {
	return idOf(kind, list, id, newest, uuid.Parse, func(beginning string) (ids []string, err error) {
		limit := 1
		if beginning != "" {
			limit = 0
			if sel.From, sel.Until, err = timesOf(beginning); err != nil {
				return nil, err
			}
		}
		_, err = readPages(limit, func(size int, cursor string) (int, string, error) {
			page, err := b.Events(e.ctx, sel, size, cursor)
			for _, ev := range page.Events {
				ids = append(ids, ev.ID.String())
			}
			return len(page.Events), page.Next, err
		})
		return ids, err
	})
}

// deliveryOf returns the id of the delivery that a person means. An event's id is the beginning of the ids of its
// deliveries.
func deliveryOf(e *env, b backend, id string, newest bool) (event.DeliveryID, error) {
	return idOf("delivery", "hooktape deliveries list", id, newest, event.ParseDeliveryID, func(beginning string) (
		ids []string, err error) {
		var sel event.DeliverySelection
		limit := 1
		if len(beginning) >= 36 {
			whole, err := uuid.Parse(beginning[:36])
			if err != nil {
				return nil, fmt.Errorf("%q is no delivery id", beginning)
			}
			limit, sel.Events = 0, []uuid.UUID{whole}
		} else if beginning != "" {
			limit = 0
			if sel.From, sel.Until, err = timesOf(beginning); err != nil {
				return nil, err
			}
		}
		_, err = readPages(limit, func(size int, cursor string) (int, string, error) {
			page, err := b.Deliveries(e.ctx, sel, size, cursor)
			for _, d := range page.Deliveries {
				ids = append(ids, d.ID)
			}
			return len(page.Deliveries), page.Next, err
		})
		return ids, err
	})
}

// finder returns the whole id that a person means by one, by the beginning of one, or by last.
type finder func(e *env, b backend, id string) (string, error)

// finderOf returns the finder of a function for ids.
func finderOf[ID fmt.Stringer](of func(*env, backend, string, bool) (ID, error)) finder {
	return func(e *env, b backend, text string) (string, error) {
		id, err := of(e, b, text, false)
		return id.String(), err
	}
}

// wholeIDs replaces beginnings of ids, and last, among the values of filters by whole ids.
func wholeIDs(e *env, values url.Values, finders map[string]finder) error {
	for filter, find := range finders {
		for i, text := range values[filter] {
			_, err := event.ParseDeliveryID(text)
			if err == nil || uuid.Validate(text) == nil || text == event.LiveDelivery || text == event.AnyReplay {
				continue
			}
			if err := e.withBackend(func(b backend) (err error) {
				values[filter][i], err = find(e, b, text)
				return err
			}); err != nil {
				return fmt.Errorf("--%s: %w", flagName(filter), err)
			}
		}
	}
	return nil
}

// pageSize is the largest number of rows in one request.
const pageSize = 1000

// readPages calls read for one page of a list after the other, with the page's size and its cursor, until it has limit
// rows; 0 is no limit. read returns the number of rows, and the cursor of the next page. more reports that there are
// further rows.
func readPages(limit int, read func(size int, cursor string) (n int, next string, err error)) (more bool, err error) {
	for total, cursor := 0, ""; ; {
		size := pageSize
		if limit > 0 {
			size = min(limit-total, pageSize)
		}
		n, next, err := read(size, cursor)
		total += n
		if err != nil || next == "" || limit > 0 && total >= limit {
			return next != "", err
		}
		cursor = next
	}
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
