package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TableStorage is the size of a table. Oldest and Newest are zero if its rows have no time, or if there are none.
type TableStorage struct {
	Table        string    `json:"table" doc:"Its name."`
	Rows         uint64    `json:"rows" doc:"The number of rows; each version of a row counts."`
	Bytes        uint64    `json:"bytes" doc:"On ClickHouse's disk, with indexes and projections."`
	Compressed   uint64    `json:"compressed" doc:"Bytes of the columns alone."`
	Uncompressed uint64    `json:"uncompressed" doc:"The same before compression."`
	Oldest       time.Time `json:"oldest,omitzero" doc:"The time of the oldest row; absent without rows."`
	Newest       time.Time `json:"newest,omitzero" doc:"The time of the newest row; absent without rows."`
}

// SourceStorage is the size of a source's events. BodyBytes counts the bodies before compression.
type SourceStorage struct {
	Source    string    `json:"source" doc:"Its name; empty for all names that are not a source."`
	Events    uint64    `json:"events" doc:"The number of its events."`
	Rejected  uint64    `json:"rejected" doc:"Rejected ones among them."`
	BodyBytes uint64    `json:"body_bytes" doc:"Bytes of the bodies before compression."`
	Oldest    time.Time `json:"oldest" doc:"The time of the oldest event."`
	Newest    time.Time `json:"newest" doc:"The time of the newest event."`
}

// tableTimes are the columns with the age of a row.
var tableTimes = map[string]string{"events": "received_at", "quarantine": "received_at", "attempts": "started_at",
	"deliveries": "updated_at", "replays": "created_at",
	"commands": "at", "audit_log": "at", "endpoint_states": "updated_at", "holders": "seen_at",
	"stored_ranges": "received_until", "otel_traces": "Timestamp", "otel_traces_trace_id_ts": "Start"}

// StorageReport returns the size of each table of the database, the largest first. Replaced parts that ClickHouse has
// not removed yet do not count.
func (s *Store) StorageReport(ctx context.Context) ([]TableStorage, error) {
	tables, err := collect(ctx, s.conn, "read the sizes of tables", `SELECT t.name, sum(p.rows), sum(p.bytes_on_disk), sum(p.data_compressed_bytes), sum(p.data_uncompressed_bytes)
		FROM system.tables AS t LEFT JOIN (SELECT * FROM `+s.cluster.parts()+` WHERE active AND database = `+quoteText(s.Database())+`) AS p ON p.table = t.name
		WHERE t.database = currentDatabase() AND t.engine LIKE '%MergeTree' GROUP BY t.name ORDER BY 3 DESC, 1`, nil,
		func(rows driver.Rows, t *TableStorage) error {
			err := rows.Scan(&t.Table, &t.Rows, &t.Bytes, &t.Compressed, &t.Uncompressed)
			t.Table = strings.TrimSuffix(t.Table, s.cluster.own(""))
			return err
		})
	if err != nil {
		return nil, err
	}
	for i := range tables {
		t := &tables[i]
		column, known := tableTimes[t.Table]
		if !known || t.Rows == 0 {
			continue
		}
		sql := fmt.Sprintf("SELECT toDateTime64(min(%[1]s), 6, 'UTC'), toDateTime64(max(%[1]s), 6, 'UTC') FROM %[2]s",
			column, t.Table)
		if err := s.conn.QueryRow(ctx, sql).Scan(&t.Oldest, &t.Newest); err != nil {
			return nil, explain("read the times of "+t.Table, err)
		}
	}
	return slices.DeleteFunc(tables, func(t TableStorage) bool { return t.Table == versions }), nil
}

// Disk is the space on a disk, in bytes.
type Disk struct {
	Name        string
	Free, Total uint64
}

// Disks returns the disks of the ClickHouse server.
func (s *Store) Disks(ctx context.Context) ([]Disk, error) {
	return collect(ctx, s.conn, "read the free space of disks",
		"SELECT name, free_space, total_space FROM system.disks ORDER BY name", nil,
		func(rows driver.Rows, d *Disk) error {
			return rows.Scan(&d.Name, &d.Free, &d.Total)
		})
}

// StorageBySource returns the size of each source's events, the one with the most events first. All names that are not
// a source count as one, the empty one.
func (s *Store) StorageBySource(ctx context.Context) ([]SourceStorage, error) {
	return collect(ctx, s.patient, "read the sizes of sources", `SELECT if(verdict = 'unknown_source', '', toString(source)) AS name, count(), countIf(verdict != 'accepted'),
		sum(length(body)), min(received_at), max(received_at) FROM events GROUP BY name ORDER BY 2 DESC, 1`, nil,
		func(rows driver.Rows, t *SourceStorage) error {
			return rows.Scan(&t.Source, &t.Events, &t.Rejected, &t.BodyBytes, &t.Oldest, &t.Newest)
		})
}
