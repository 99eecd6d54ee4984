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

// Unreadable is a range of rows of a part that cannot be read, by their positions in it: From is included, To is not.
type Unreadable struct {
	Part string `json:"part"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// DamagedPartsOf reads one of Tables and returns its damaged parts. On a cluster it returns none, because names of
// parts are not unique there.
func (s *Store) DamagedPartsOf(ctx context.Context, table string) (damaged []DamagedPart, err error) {
	if !s.cluster.one() {
		return nil, nil
	}
	return s.checkParts(ctx, table, time.Time{}, nil)
}

// ReadableRows calls each with all readable rows of a table, in several portions, and returns the unreadable ones. It
// tries each granule of the damaged parts, the unit that ClickHouse reads.
func (s *Store) ReadableRows(ctx context.Context, table string, damaged []DamagedPart,
	each func(*Rows) error) (lost []Unreadable, err error) {
	columns, err := s.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	read := func(where string) error {
		rows, err := s.streamed(ctx, "read "+table,
			"SELECT "+names(columns)+" FROM "+quoteName(table)+" WHERE "+where, &conditions{})
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

// granules returns the granules of a part as ranges of rows.
func (s *Store) granules(ctx context.Context, table, part string) (list []Unreadable, err error) {
	var at uint64
	return collect(ctx, s.conn, "read the index of "+table,
		fmt.Sprintf("SELECT rows_in_granule FROM mergeTreeIndex(currentDatabase(), %s) WHERE part_name = %s AND "+
			"rows_in_granule > 0 ORDER BY mark_number",
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

// triedAtOnce is the number of granules in a first attempt. If it fails, each granule is tried alone. ClickHouse takes
// seconds, for a large block minutes, to fail at a wrong checksum, because it looks for the flipped bit; bisecting a
// part would fail more often.
const triedAtOnce = 64

// sift splits consecutive granules into readable and unreadable ranges.
func (s *Store) sift(ctx context.Context, table string, columns []Column, part string, granules []Unreadable) (whole,
	lost []Unreadable, err error) {
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
	// ignore() reads every column and sends none.
	err := s.patient.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s WHERE %s AND NOT ignore(%s)", quoteName(table),
		rows.condition(), names(columns))).Scan(&n)
	if err != nil && (ctx.Err() != nil || errors.Is(classify(err), ErrUnavailable)) {
		return false, explain("read "+table, err)
	}
	return err == nil, nil
}

// joined appends a range, or extends the last one if the range follows it.
func joined(list []Unreadable, u Unreadable) []Unreadable {
	if n := len(list); n > 0 && list[n-1].To == u.From {
		list[n-1].To = u.To
		return list
	}
	return append(list, u)
}
