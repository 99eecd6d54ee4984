package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Unreadable are rows of a part that cannot be read, by their places in it: from From up to before To.
type Unreadable struct {
	Part string `json:"part"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// DamagedPartsOf reads one of Tables and returns its parts that are damaged. On a cluster it looks at no server, for the names
// of parts are not unique there.
func (s *Store) DamagedPartsOf(ctx context.Context, table string) (damaged []DamagedPart, err error) {
	if !s.cluster.one() {
		return nil, nil
	}
	return s.checkParts(ctx, table, time.Time{}, nil)
}

// ReadableRows calls each with all rows of a table that can be read, some at a time, and returns those that cannot. Damaged
// are the table's parts that are; of them each granule is tried, which is what ClickHouse reads at once.
func (s *Store) ReadableRows(ctx context.Context, table string, damaged []DamagedPart, each func(*Rows) error) (lost []Unreadable, err error) {
	columns, err := s.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	read := func(where string) error {
		rows, err := s.streamed(ctx, "read "+table, columns, "SELECT "+names(columns)+" FROM "+quoteName(table)+" WHERE "+where, &conditions{})
		if err != nil {
			return err
		}
		defer rows.Close()
		return each(rows)
	}
	list := make([]string, len(damaged))
	for i, p := range damaged {
		list[i] = quoteText(p.Part)
	}
	if err := read("_part NOT IN (" + strings.Join(list, ", ") + ")"); err != nil {
		return nil, err
	}
	for _, p := range damaged {
		granules, err := s.granules(ctx, table, p.Part)
		if err != nil {
			return lost, err
		}
		whole, gone, err := s.sift(ctx, table, columns, p.Part, granules)
		if err != nil {
			return lost, err
		}
		lost = append(lost, gone...)
		for _, r := range whole {
			if err := read(r.condition()); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

func (u Unreadable) condition() string {
	return fmt.Sprintf("_part = %s AND _part_offset >= %d AND _part_offset < %d", quoteText(u.Part), u.From, u.To)
}

// granules are the ranges of rows that a part is read by.
func (s *Store) granules(ctx context.Context, table, part string) (list []Unreadable, err error) {
	var at uint64
	return collect(ctx, s.conn, "read the index of "+table, fmt.Sprintf("SELECT rows_in_granule FROM mergeTreeIndex(currentDatabase(), %s) WHERE part_name = %s AND rows_in_granule > 0 ORDER BY mark_number",
		quoteText(table), quoteText(part)), nil, func(rows driver.Rows, g *Unreadable) error {
		var n uint64
		if err := rows.Scan(&n); err != nil {
			return err
		}
		*g = Unreadable{part, at, at + n}
		at += n
		return nil
	})
}

// triedAtOnce is how many granules are tried at once. Of those that fail each is tried alone. ClickHouse takes seconds, for a
// large block minutes, to fail at a wrong checksum, because it looks for the bit that would make it right; halving a
// part again and again would fail more often.
const triedAtOnce = 64

// sift splits granules, which follow each other, into ranges that can be read and ranges that cannot.
func (s *Store) sift(ctx context.Context, table string, columns []Column, part string, granules []Unreadable) (whole, lost []Unreadable, err error) {
	for some := range slices.Chunk(granules, triedAtOnce) {
		all := Unreadable{part, some[0].From, some[len(some)-1].To}
		readable, err := s.readable(ctx, table, columns, all)
		if err != nil {
			return nil, nil, err
		}
		if readable {
			whole = joined(whole, all)
			continue
		}
		for _, one := range some {
			readable, err := s.readable(ctx, table, columns, one)
			switch {
			case err != nil:
				return nil, nil, err
			case readable:
				whole = joined(whole, one)
			default:
				lost = joined(lost, one)
			}
		}
	}
	return whole, lost, nil
}

// readable reports whether rows can be read.
func (s *Store) readable(ctx context.Context, table string, columns []Column, rows Unreadable) (bool, error) {
	var n uint64
	// ignore() has every column read, and none sent.
	err := s.patient.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE %s AND NOT ignore(%s)", quoteName(table), rows.condition(), names(columns))).Scan(&n)
	if err != nil && (ctx.Err() != nil || errors.Is(classify(err), ErrUnavailable)) {
		return false, explain("read "+table, err)
	}
	return err == nil, nil
}

// joined appends a range, or makes the last one longer that it follows.
func joined(list []Unreadable, u Unreadable) []Unreadable {
	if n := len(list); n > 0 && list[n-1].To == u.From {
		list[n-1].To = u.To
		return list
	}
	return append(list, u)
}
