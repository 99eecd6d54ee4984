package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DamagedPart is a part of a table that ClickHouse cannot read.
type DamagedPart struct {
	Table string `json:"table"`
	Part  string `json:"part"`
	Path  string `json:"path"` // on the server's disk
	// Detached: ClickHouse has detached the part and answers as if its rows did not exist. Otherwise queries and
	// merges that read it fail.
	Detached bool   `json:"detached"`
	Reason   string `json:"reason"` // ClickHouse's message
}

// String describes the damage.
func (p DamagedPart) String() string {
	if p.Detached {
		return fmt.Sprintf("the table %s lacks the rows of the part %s, which ClickHouse has detached (%s) to %s",
			p.Table, p.Part, p.Reason, p.Path)
	}
	return fmt.Sprintf("the table %s cannot be read completely: its part %s in %s is damaged (%s)", p.Table, p.Part,
		p.Path, p.Reason)
}

// Remedy returns the steps that repair the damage.
func (p DamagedPart) Remedy() string {
	const first = `bring its rows back as docs/OPERATIONS.md says under "Damaged parts"; then `
	if p.Detached {
		return first + fmt.Sprintf("ALTER TABLE %s DROP DETACHED PART %s SETTINGS allow_drop_detached = 1",
			quoteName(p.Table), quoteText(p.Part))
	}
	return first + fmt.Sprintf("ALTER TABLE %s DROP PART %s", quoteName(p.Table), quoteText(p.Part))
}

// DetachedParts returns the parts that ClickHouse has detached because it could not read them, on the server that
// answers. Parts that a person has detached, and those whose rows are in another part, are left out.
func (s *Store) DetachedParts(ctx context.Context) ([]DamagedPart, error) {
	return collect(ctx, s.conn, "list detached parts", `SELECT table, name, path, reason FROM system.detached_parts
		WHERE database = currentDatabase() AND reason LIKE 'broken%' ORDER BY table, name`, nil,
		func(rows driver.Rows, p *DamagedPart) error {
			p.Detached = true
			return rows.Scan(&p.Table, &p.Part, &p.Path, &p.Reason)
		})
}

// checkRounds is how often CheckParts looks for parts that merges have created meanwhile.
const checkRounds = 3

// activePart is a part in use.
type activePart struct {
	Table, Name, Path string
	Bytes             uint64
}

// CheckParts reads the parts that were written since a time (the zero time: all parts) and returns those whose
// checksums differ from the ones they were written with. It checks the server that answers. progress may be nil; its
// sizes are in bytes.
func (s *Store) CheckParts(ctx context.Context, since time.Time, progress func(table string, done,
	total uint64)) ([]DamagedPart, error) {
	return s.checkParts(ctx, "", since, progress)
}

// checkParts is CheckParts of one table; "" means all tables.
func (s *Store) checkParts(ctx context.Context, table string, since time.Time,
	progress func(table string, done, total uint64)) ([]DamagedPart, error) {
	var damaged []DamagedPart
	var done, total uint64
	checked := map[string]bool{}
	for range checkRounds {
		parts, err := s.partsSince(ctx, table, since)
		if err != nil {
			return damaged, err
		}
		fresh := parts[:0]
		for _, p := range parts {
			if !checked[p.Path] {
				checked[p.Path] = true
				total += p.Bytes
				fresh = append(fresh, p)
			}
		}
		for _, p := range fresh {
			if progress != nil {
				progress(p.Table, done, total)
			}
			why, err := s.checkPart(ctx, p)
			if err != nil {
				return damaged, err
			}
			if why != "" {
				damaged = append(damaged, DamagedPart{Table: p.Table, Part: p.Name, Path: p.Path, Reason: why})
			}
			done += p.Bytes
		}
	}
	return damaged, nil
}

func (s *Store) partsSince(ctx context.Context, table string, since time.Time) ([]activePart, error) {
	where := &conditions{}
	if table != "" {
		where.add("table = {}", "String", table)
	}
	where.add("database = {}", "String", s.Database())
	where.addTime("modification_time >= {}", epochIfZero(since))
	return collect(ctx, s.conn, "list the parts",
		fmt.Sprintf("SELECT table, name, path, bytes_on_disk FROM system.parts WHERE active AND %s ORDER BY table, name", where), where.args,
		func(rows driver.Rows, p *activePart) error { return rows.Scan(&p.Table, &p.Name, &p.Path, &p.Bytes) })
}

// codeNoSuchPart: the part was merged with others, or has expired.
const codeNoSuchPart = 232

// checkPart returns the damage of a part; "" if there is none or the part no longer exists.
func (s *Store) checkPart(ctx context.Context, p activePart) (why string, err error) {
	// one row for each part instead of one for the table
	rows, err := s.patient.Query(with(ctx, clickhouse.Settings{"check_query_single_value_result": 0}),
		fmt.Sprintf("CHECK TABLE %s PART %s", quoteName(p.Table), quoteText(p.Name)))
	if hasCode(err, codeNoSuchPart) {
		return "", nil
	}
	if err != nil {
		return "", explain("check "+p.Table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var path, message string
		var passed bool
		if err := rows.Scan(&path, &passed, &message); err != nil {
			return "", explain("check "+p.Table, err)
		}
		if !passed {
			why, _, _ = strings.Cut(message, "\n")
		}
	}
	return why, explain("check "+p.Table, rows.Err())
}
