package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Store is a pool of connections to one ClickHouse database.
type Store struct {
	conn driver.Conn
	// patient is for the few statements that go over whole months without a word in between.
	patient driver.Conn
	// reader and patientReader are the same for the user that UseReader has named; nil without one.
	reader, patientReader driver.Conn

	options *clickhouse.Options
	cluster cluster
}

// Open prepares a pool for dsn (clickhouse://, http:// or https://, as clickhouse-go reads it). It does not connect.
// The database is the DSN's path, "hooktape" when it names none.
func Open(dsn string) (*Store, error) { return OpenCluster(dsn, "") }

// OpenCluster is Open for a server of a cluster, by its name in the servers' configuration (remote_servers); "" is a server
// that stands alone.
func OpenCluster(dsn, name string) (*Store, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return nil, errBadDSN // without the text of it, for it may hold a password
	}
	if query := u.Query(); u.Scheme == "https" && !query.Has("secure") {
		query.Set("secure", "true") // the driver wants it said twice
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
		options.ReadTimeout = 60 * time.Second // of silence; the driver's own five minutes would stall a drain as long
	}
	options.MaxOpenConns = max(options.MaxOpenConns, 16)
	if name != "" {
		settings := maps.Clone(clusterSettings)
		maps.Copy(settings, options.Settings)
		options.Settings = settings
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("clickhouse DSN: %w", err)
	}
	slow := *options
	slow.ReadTimeout = max(slow.ReadTimeout, patience)
	patient, err := clickhouse.Open(&slow)
	if err != nil {
		return nil, fmt.Errorf("clickhouse DSN: %w", err)
	}
	return &Store{conn: conn, patient: patient, options: options, cluster: cluster{name, options.Auth.Database}}, nil
}

// patience is how long a server may be silent while it freezes, compares or cancels a replay.
const patience = 10 * time.Minute

var (
	schemes   = []string{"clickhouse", "tcp", "http", "https"}
	errBadDSN = errors.New("the ClickHouse DSN is none such as clickhouse://user:password@host:9000/hooktape or https://user:password@host:8443/hooktape")
)

// Close releases the connections.
func (s *Store) Close() error {
	errs := []error{s.conn.Close(), s.patient.Close()}
	if s.reader != nil {
		errs = append(errs, s.reader.Close(), s.patientReader.Close())
	}
	return errors.Join(errs...)
}

// Database is the name of the database in use.
func (s *Store) Database() string { return s.options.Auth.Database }

// Addresses are the servers of the DSN, such as clickhouse:9000.
func (s *Store) Addresses() []string { return slices.Clone(s.options.Addr) }

// Ping returns nil when the server answers a query of this user in this database.
func (s *Store) Ping(ctx context.Context) error {
	return explain("ping", s.conn.Exec(ctx, "SELECT 1"))
}

// TokenLifetime is for how long ClickHouse surely knows a token: a table remembers the last 10,000 inserts, which many
// processes make in some minutes.
const TokenLifetime = 5 * time.Minute

// insert sends rows in one block. A second insert of the same token into the table is dropped by the server, and so are the
// rows that it would add to materialized views. Without a token the insert gets one of its own: the server would take it for
// an earlier one whose rows were alike, as those of two commands are but for the time, which it adds itself.
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

// UseReader has ClickHouse run every query with an expression of a selection as this user, who should have no right but to
// read. Without it they run as the DSN's user, under readonly. (A replay's selection is tried as the reader first, and then
// written as the DSN's user, for one statement does that.)
func (s *Store) UseReader(user, password string) error {
	read := func(options clickhouse.Options) (driver.Conn, error) {
		options.Auth.Username, options.Auth.Password = user, password
		return clickhouse.Open(&options)
	}
	conn, err := read(*s.options)
	if err != nil {
		return fmt.Errorf("clickhouse reader: %w", err)
	}
	slow := *s.options
	slow.ReadTimeout = max(slow.ReadTimeout, patience)
	patient, err := read(slow)
	if err != nil {
		return fmt.Errorf("clickhouse reader: %w", err)
	}
	s.reader, s.patientReader = conn, patient
	return nil
}

// asking is the pool for a query over selected events.
func (s *Store) asking(c *conditions) driver.Conn {
	if c.expression != "" && s.reader != nil {
		return s.reader
	}
	return s.conn
}

// askingPatiently is asking for a query that may be silent for minutes.
func (s *Store) askingPatiently(c *conditions) driver.Conn {
	if c.expression != "" && s.patientReader != nil {
		return s.patientReader
	}
	return s.patient
}

// Now is the server's clock, by which stored_at is written.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now)
	return now, explain("ask ClickHouse for the time", err)
}
