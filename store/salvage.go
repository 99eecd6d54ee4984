package store

import (
	"context"
	"fmt"
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

// sift splits granules, which follow each other, into ranges that can be read and ranges that cannot.
func (s *Store) sift(ctx context.Context, table string, columns []Column, part string, granules []Unreadable) (whole, lost []Unreadable, err error) {
	if len(granules) == 0 {
		return nil, nil, nil
	}
	all := Unreadable{part, granules[0].From, granules[len(granules)-1].To}
	var n uint64
	// ignore() has every column read, and none sent.
	err = s.patient.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE %s AND NOT ignore(%s)", quoteName(table), all.condition(), names(columns))).Scan(&n)
	switch {
	case err == nil:
		return []Unreadable{all}, nil, nil
	case ctx.Err() != nil || classify(err) == ErrUnavailable:
		return nil, nil, explain("read "+table, err)
	case len(granules) == 1:
		return nil, []Unreadable{all}, nil
	}
	half := len(granules) / 2
	for _, some := range [][]Unreadable{granules[:half], granules[half:]} {
		w, l, err := s.sift(ctx, table, columns, part, some)
		if err != nil {
			return nil, nil, err
		}
		whole, lost = joined(whole, w), joined(lost, l)
	}
	return whole, lost, nil
}

// joined appends ranges, and makes one of two that follow each other.
func joined(list, more []Unreadable) []Unreadable {
	for _, u := range more {
		if n := len(list); n > 0 && list[n-1].To == u.From {
			list[n-1].To = u.To
			continue
		}
		list = append(list, u)
	}
	return list
}
