package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Health is what a look at ClickHouse tells. Nothing is changed by it, and nothing left behind.
type Health struct {
	Version string // of the server
	User    string
	// Ahead is how far the server's clock is before this machine's.
	Ahead  time.Duration
	Schema Schema
	// Missing are rights that the program needs and the user has not, as GRANT names them.
	Missing []string
	// MissingOnCluster are the same of rights on everything, which a cluster takes.
	MissingOnCluster []string
	// Cluster is that of the configuration; nil for a server that stands alone.
	Cluster *ClusterHealth
	// Settings are those of the user that stand against the program's promises, as name=value.
	Settings []string
}

// needed are the rights that migrations and the program's work take.
var needed = []string{"SELECT", "INSERT", "ALTER", "CREATE TABLE", "CREATE VIEW", "DROP TABLE"}

// hinderingSettings: a user that only reads; deduplication switched off, without which a batch sent again is stored again
// (deduplicate_insert, where the server has it, comes before insert_deduplicate); asynchronous inserts that this program may
// not switch off.
const hinderingSettings = `SELECT name || '=' || value AS Setting FROM system.settings
	WHERE name = 'readonly' AND value != '0' OR name = 'async_insert' AND value = '1' AND readonly OR name = 'deduplicate_insert' AND value = 'disable'
	OR name = 'insert_deduplicate' AND value = '0' AND NOT (SELECT count() > 0 FROM system.settings WHERE name = 'deduplicate_insert' AND value = 'enable')`

// hinderingOnCluster: inserts that are only queued; answers without the rows of a shard that is away, or that look things up on each shard alone.
const hinderingOnCluster = ` OR name = 'distributed_foreground_insert' AND value = '0' OR name = 'skip_unavailable_shards' AND value != '0'
	OR name = 'distributed_product_mode' AND value != 'global'`

// ClickHouse's error codes (src/Common/ErrorCodes.cpp).
const (
	codeTableExists     = 57
	codeUnknownTable    = 60
	codeSyntax          = 62
	codeUnknownDatabase = 81
	codeTableIsDropped  = 218
	codeTableReplaced   = 741 // TABLE_UUID_MISMATCH: another table has got its name
)

// Health looks. It speaks to the server without naming the database, which may not be there yet.
func (s *Store) Health(ctx context.Context) (h Health, err error) {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return h, explain("look at ClickHouse", err)
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil { // so that connecting does not count as a clock's difference
		return h, explain("look at ClickHouse", err)
	}
	begun, theirs := time.Now(), time.Time{}
	if err := conn.QueryRow(ctx, "SELECT version(), currentUser(), now64(3, 'UTC')").Scan(&h.Version, &h.User, &theirs); err != nil {
		return h, explain("look at ClickHouse", err)
	}
	h.Ahead = theirs.Sub(begun.Add(time.Since(begun) / 2))
	database := quoteName(s.Database())
	if h.Schema, err = schemaOf(ctx, conn, database); err != nil {
		return h, explain("read the schema's version", err)
	}
	rights := needed
	if h.Schema.At == 0 {
		rights = append(rights, "CREATE DATABASE")
	}
	if h.Missing, err = missing(ctx, conn, database+".*", rights); err != nil {
		return h, explain("ask for rights", err)
	}
	if !s.cluster.one() {
		if err := s.lookAtCluster(ctx, conn, &h); err != nil {
			return h, err
		}
	}
	var rows []struct{ Setting string }
	hindering := hinderingSettings
	if !s.cluster.one() {
		hindering += hinderingOnCluster
	}
	err = conn.Select(ctx, &rows, hindering)
	for _, row := range rows {
		h.Settings = append(h.Settings, row.Setting)
	}
	return h, explain("read the user's settings", err)
}

// SchemaNow is how far the database's tables are. It creates nothing.
func (s *Store) SchemaNow(ctx context.Context) (is Schema, err error) {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return is, err
	}
	defer conn.Close()
	is, err = schemaOf(ctx, conn, quoteName(s.Database()))
	return is, explain("read the schema's version", err)
}

func schemaOf(ctx context.Context, conn driver.Conn, database string) (is Schema, err error) {
	if is.Known, err = KnownSchema(); err != nil {
		return is, err
	}
	// Tables that are half created have no version 1, which no migration has any more.
	query := fmt.Sprintf("SELECT max(version_id), countIf(version_id = 1) > 0 AND max(version_id) < %d FROM %s.%s", OldestSchema, database, versions)
	err = conn.QueryRow(ctx, query).Scan(&is.At, &is.TooOld)
	if hasCode(err, codeUnknownTable, codeUnknownDatabase) {
		return is, nil
	}
	return is, err
}

// lookAtCluster does so if the user may.
func (s *Store) lookAtCluster(ctx context.Context, conn driver.Conn, h *Health) error {
	lacks, err := missing(ctx, conn, "*.*", neededOnCluster)
	if h.MissingOnCluster = lacks; err != nil || len(lacks) > 0 {
		return explain("ask for rights", err)
	}
	found, err := s.cluster.health(ctx, conn)
	h.Cluster = &found
	return explain("look at the cluster "+s.cluster.name, err)
}

// missing asks for rights on such as database.*.
func missing(ctx context.Context, conn driver.Conn, on string, rights []string) (list []string, err error) {
	for _, right := range rights {
		var granted uint8
		err := conn.QueryRow(ctx, "CHECK GRANT "+right+" ON "+on).Scan(&granted)
		switch {
		case hasCode(err, codeSyntax): // a server from before 24.10, which cannot be asked
			return nil, nil
		case err != nil:
			return nil, err
		case granted == 0:
			list = append(list, right)
		}
	}
	return list, nil
}

func hasCode(err error, codes ...int32) bool {
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && slices.Contains(codes, exception.Code)
}
