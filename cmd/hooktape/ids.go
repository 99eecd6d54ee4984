package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// last is the flag of commands about one thing, instead of its id.
type last struct {
	Last bool `help:"Take the newest one, instead of an id."`
}

// wholeID returns the id that a person means: a whole one, the only one with a beginning, or the newest.
func wholeID(e *env, b backend, kind event.Named, id string, newest bool) (string, error) {
	switch {
	case newest && id != "":
		return "", errors.New("give an id or --last, not both")
	case newest:
		id = api.LastID
	case id == "":
		return "", fmt.Errorf("give the %s's id, or --last", kind)
	}
	return b.WholeID(e.ctx, kind, id)
}

// uuidOf is wholeID for events and replays.
func uuidOf(e *env, b backend, kind event.Named, id string, newest bool) (uuid.UUID, error) {
	whole, err := wholeID(e, b, kind, id, newest)
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(whole)
}

// wholeIDs replaces the ids among the values of filters by whole ids.
func wholeIDs(e *env, filters []event.Filter, values url.Values) error {
	if !slices.ContainsFunc(filters, func(f event.Filter) bool {
		return slices.ContainsFunc(values[f.Name], f.IsShort)
	}) {
		return nil
	}
	return e.withBackend(func(b backend) error {
		faults, err := api.WholeIDs(e.ctx, filters, values, b.WholeID)
		return cmp.Or(err, faultOf(faults))
	})
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
