package store

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// Column is a column of a table.
type Column struct {
	Name string
	Type string       // ClickHouse's
	Go   reflect.Type // type of a scanned value
}

// Rows is a stream of stored rows; only some of them are in memory.
type Rows struct {
	driver.Rows
	doing  string
	http   bool
	cancel context.CancelFunc
}

// Close releases the rows. Over HTTP the server stops sending the rest. With the native protocol the driver reads it
// all, because it may panic when cancelled meanwhile (ClickHouse/clickhouse-go#1677).
func (r *Rows) Close() error {
	defer r.cancel()
	if r.http {
		r.cancel()
	}
	return explain(r.doing, r.Rows.Close())
}

// Scan reads the current row.
func (r *Rows) Scan(dest ...any) error { return explain(r.doing, r.Rows.Scan(dest...)) }

// Err returns the error that ended the rows early.
func (r *Rows) Err() error { return explain(r.doing, r.Rows.Err()) }

// Tables are the tables that are not derived from others, in the order in which a backup reads them while hooktape
// runs. A table that records progress comes before the table that the progress is about, so that after a restore work
// may be repeated but is never skipped. The purge watermarks come after the deliveries: a watermark that is too new
// leaves events out of replays, one that is too old would send them again. The marks of stored events come after the
// events, so that every event of the backup has one.
var Tables = []string{"endpoint_states", "holders", "commands", "replays", "deliveries", "swept", "attempts",
	"audit_log", "saved_views", "quarantine", "otel_traces", "events", "stored_ranges"}

// Versioned are those of Tables whose rows are versions. ClickHouse keeps the newest and removes the others, at an
// insert or later.
var Versioned = []string{"stored_ranges", "endpoint_states", "holders", "replays", "swept", "deliveries",
	"saved_views"}

// TableRows returns all rows of one of Tables.
func (s *Store) TableRows(ctx context.Context, table string) (*Rows, error) {
	if !slices.Contains(Tables, table) {
		return nil, fmt.Errorf("unknown table %q", table)
	}
	columns, err := s.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	return s.streamed(ctx, "read "+table, "SELECT "+names(columns)+" FROM "+table, &conditions{})
}

// Columns returns the columns of one of Tables, without those that ClickHouse computes. They are those of an insert,
// because a result without rows has no columns.
func (s *Store) Columns(ctx context.Context, table string) (columns []Column, err error) {
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+quoteName(table))
	if err != nil {
		return nil, explain("read the columns of "+table, err)
	}
	for _, c := range batch.Columns() {
		columns = append(columns, Column{c.Name(), string(c.Type()), c.ScanType()})
	}
	return columns, explain("read the columns of "+table, batch.Close())
}

// names lists columns for a statement.
func names(columns []Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = quoteName(c.Name)
	}
	return strings.Join(list, ", ")
}

// CountRows counts the rows of one of Tables; versions of a row count each.
func (s *Store) CountRows(ctx context.Context, table string) (n uint64, err error) {
	err = s.conn.QueryRow(ctx, "SELECT count() FROM "+quoteName(table)).Scan(&n)
	return n, explain("count "+table, err)
}

// FilledTable returns the first of Tables that has rows; "" if none has, or none exists.
func (s *Store) FilledTable(ctx context.Context) (string, error) {
	server, err := s.withoutDatabase(0)
	if err != nil {
		return "", err
	}
	defer server.Close()
	var there []string
	err = server.QueryRow(ctx, "SELECT groupArray(name) FROM system.tables WHERE database = "+
		quoteText(s.Database())).Scan(&there)
	for _, table := range Tables {
		if err != nil || !slices.Contains(there, table) {
			continue
		}
		var rows uint64
		err = server.QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+s.cluster.table(table)+" LIMIT 1)").Scan(&rows)
		if rows > 0 {
			return table, nil
		}
	}
	return "", explain("check whether the database is empty", err)
}

// EventRows returns selected events with the columns of the table, in order of arrival, after the cursor (nil is the
// beginning), at most limit. An event that is stored twice is returned twice in succession.
func (s *Store) EventRows(ctx context.Context, sel event.Selection, after *Cursor, limit int) (*Rows, error) {
	where, err := s.inOrderAfter(ctx, sel, after)
	if err != nil {
		return nil, err
	}
	columns, err := s.EventColumns(ctx)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY received_at, id LIMIT %d", names(columns), where.events(),
		where, limit)
	rows, err := s.streamed(ctx, "read events", sql, where)
	return rows, where.blame(err)
}

// EventColumns returns the columns of EventRows. body_text is left out, because it is computed from the body.
func (s *Store) EventColumns(ctx context.Context) ([]Column, error) {
	columns, err := s.Columns(ctx, "events")
	columns = slices.DeleteFunc(columns, func(c Column) bool { return c.Name == "body_text" })
	place := func(c Column) int { return slices.Index(strings.Split(wholeColumns, ", "), c.Name) }
	slices.SortFunc(columns, func(a, b Column) int { return place(a) - place(b) })
	return columns, err
}

func (s *Store) inOrderAfter(ctx context.Context, sel event.Selection, after *Cursor) (*conditions, error) {
	where, err := s.matching(ctx, sel)
	if err == nil && after != nil {
		at := where.bindTime(after.At)
		where.require("received_at >= "+at, "(received_at, id) > ("+at+", "+where.bind("UUID", after.ID.String())+")")
	}
	return where, err
}

// Event reads the current row of EventRows.
func (r *Rows) Event() (e event.Event, err error) {
	return e, explain(r.doing, scanEvent(r.Rows, &e))
}

// streamed runs a query whose result may be larger than the memory.
func (s *Store) streamed(ctx context.Context, doing, sql string, where *conditions) (*Rows, error) {
	settings := maps.Clone(inPieces)
	if where.expression != "" {
		maps.Copy(settings, expressionLimits)
	}
	ctx, cancel := context.WithCancel(ctx)
	rows, err := s.asking(where).patient.Query(with(ctx, settings), sql, where.args...)
	if err != nil {
		cancel()
		return nil, explain(doing, err)
	}
	return &Rows{Rows: rows, doing: doing, http: s.options.Protocol == clickhouse.HTTP, cancel: cancel}, nil
}

// InsertRows inserts rows into one of Tables in one block. It calls each with a function that adds a row.
func (s *Store) InsertRows(ctx context.Context, table string, columns []string,
	each func(add func(values ...any) error) error) error {
	names := make([]string, len(columns))
	for i, name := range columns {
		names[i] = quoteName(name)
	}
	return s.insert(ctx, "", table+" ("+strings.Join(names, ", ")+")", func(batch driver.Batch) error {
		return each(batch.Append)
	})
}

// BackupToDisk makes the server write a backup of the database, under a name on one of the disks that its
// configuration allows for backups; on a cluster a disk that all servers share, such as an S3 bucket. The backup has a
// snapshot of each table.
func (s *Store) BackupToDisk(ctx context.Context, disk, name string) error {
	return explain("back up", s.patient.Exec(ctx, fmt.Sprintf("BACKUP DATABASE %s TO Disk(%s, %s)", s.cluster.whole(),
		quoteText(disk), quoteText(name))))
}

// RestoreFromDisk restores such a backup into a database of the same name that is empty or does not exist.
func (s *Store) RestoreFromDisk(ctx context.Context, disk, name string) error {
	conn, err := s.withoutDatabase(patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	return explain("restore", conn.Exec(ctx, fmt.Sprintf("RESTORE DATABASE %s FROM Disk(%s, %s)", s.cluster.whole(),
		quoteText(disk), quoteText(name))))
}
