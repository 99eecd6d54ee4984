package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Store is a pool of connections to one ClickHouse database.
type Store struct {
	pools
	reader  *pools // of the user of UseReader; nil without one
	options clickhouse.Options
	cluster cluster
	apart   atomic.Pointer[time.Time] // when the server last refused a query of several panels
}

// pools are connections of one user.
type pools struct {
	conn    driver.Conn
	patient driver.Conn // for statements that run for minutes and send nothing meanwhile
}

func openPools(options clickhouse.Options) (p pools, err error) {
	if p.conn, err = clickhouse.Open(&options); err != nil {
		return p, err
	}
	slow := options
	slow.ReadTimeout = max(slow.ReadTimeout, patience)
	p.patient, err = clickhouse.Open(&slow)
	return p, err
}

func (p pools) close() error { return errors.Join(p.conn.Close(), p.patient.Close()) }

// Open prepares a pool for dsn (clickhouse://, http:// or https://, in the form that clickhouse-go reads). It does not
// connect. The database is the DSN's path; "hooktape" if the path is empty.
func Open(dsn string) (*Store, error) { return OpenCluster(dsn, "") }

// OpenCluster is Open for a server of a cluster. name is the cluster's name in the servers' configuration
// (remote_servers); "" means a single server.
func OpenCluster(dsn, name string) (*Store, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return nil, errBadDSN // err is not wrapped: its text may contain the password
	}
	if query := u.Query(); u.Scheme == "https" && !query.Has("secure") {
		query.Set("secure", "true") // the driver needs it beside the scheme
		u.RawQuery = query.Encode()
	}
	options, err := clickhouse.ParseDSN(u.String())
	if err != nil {
		return nil, errBadDSN
	}
	if options.Auth.Database == "" {
		options.Auth.Database = "hooktape"
	}
	if options.DialTimeout == 0 {
		options.DialTimeout = 5 * time.Second
	}
	if options.ReadTimeout == 0 {
		// without a byte; the driver's default of five minutes would block a drain as long
		options.ReadTimeout = 60 * time.Second
	}
	options.MaxOpenConns = max(options.MaxOpenConns, 16)
	settings := clickhouse.Settings{"max_query_size": maxQueryBytes}
	if name != "" {
		maps.Copy(settings, clusterSettings)
	}
	maps.Copy(settings, options.Settings)
	options.Settings = settings
	p, err := openPools(*options)
	if err != nil {
		return nil, fmt.Errorf("clickhouse DSN: %w", err)
	}
	return &Store{pools: p, options: *options, cluster: cluster{name, options.Auth.Database}}, nil
}

// patience is how long a server may send nothing while it freezes, compares or cancels a replay.
const patience = 10 * time.Minute

var (
	schemes   = []string{"clickhouse", "tcp", "http", "https"}
	errBadDSN = errors.New("invalid ClickHouse DSN: want clickhouse://user:password@host:9000/hooktape or " +
		"https://user:password@host:8443/hooktape")
)

// Close releases the connections.
func (s *Store) Close() error {
	if s.reader != nil {
		return errors.Join(s.close(), s.reader.close())
	}
	return s.close()
}

// Database returns the name of the database in use.
func (s *Store) Database() string { return s.options.Auth.Database }

// Addresses returns the servers of the DSN, such as clickhouse:9000.
func (s *Store) Addresses() []string { return slices.Clone(s.options.Addr) }

// Ping returns nil if the server answers a query of this user in this database.
func (s *Store) Ping(ctx context.Context) error {
	return explain("ping", s.conn.Exec(ctx, "SELECT 1"))
}

// TokenLifetime is how long ClickHouse is certain to remember a token: a table remembers its last 10,000 inserts, and
// many processes need some minutes for as many.
const TokenLifetime = 5 * time.Minute

// insert sends rows in one block. The server drops a second insert with the same token into the same table, together
// with the rows that it would add to materialized views. Without a token the insert gets a random one. Otherwise the
// server would drop it as a repetition of an earlier insert with equal rows; rows of two commands, for example, differ
// only in the time, which the server adds.
func (s *Store) insert(ctx context.Context, token, into string, appendRows func(driver.Batch) error) error {
	if token == "" {
		token = rand.Text()
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0,
		"insert_deduplication_token": token, "deduplicate_blocks_in_dependent_materialized_views": 1}))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+into)
	if err != nil {
		return explain("insert into "+into, err)
	}
	defer batch.Close()
	if err := appendRows(batch); err != nil {
		// The client's own encoder found a value that the column cannot hold: the server would not either.
		return fmt.Errorf("insert into %s: %w: %w", into, ErrRefused, err)
	}
	return explain("insert into "+into, batch.Send())
}

// UseReader makes ClickHouse run every query that contains a selection's expression as this user, who should have only
// the right to read. Without it these queries run as the DSN's user, under readonly. A replay's selection is first
// tried as the reader; the statement that freezes it writes, so it runs as the DSN's user.
func (s *Store) UseReader(user, password string) error {
	options := s.options
	options.Auth.Username = user
	options.Auth.Password = password
	reader, err := openPools(options)
	if err != nil {
		return fmt.Errorf("clickhouse reader: %w", err)
	}
	s.reader = &reader
	return nil
}

// asking returns the pools for a query over selected events.
func (s *Store) asking(c *conditions) pools {
	if c.expression != "" && s.reader != nil {
		return *s.reader
	}
	return s.pools
}

// Now returns the time of the server's clock, which also sets stored_at.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now)
	return now, explain("read ClickHouse's clock", err)
}
