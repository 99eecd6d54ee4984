package main

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"hooktape/cmd/embedded-clickhouse/password"
	"hooktape/event"
	"hooktape/ingest"
	"hooktape/replay"
	"hooktape/replay/api"
	"hooktape/spool"
	"hooktape/store"
)

// config is hooktape.yaml. hooktape.example.yaml explains each key.
type config struct {
	PublicURL string `yaml:"public_url"`
	// BothelpAccount is the account's name in NAME.bothelp.io, for links to it.
	BothelpAccount string `yaml:"bothelp_account"`

	IngestAddr string `yaml:"ingest_addr"`
	APIAddr    string `yaml:"api_addr"`
	OpsAddr    string `yaml:"ops_addr"`

	ClickHouse struct {
		DSN     string `yaml:"dsn" secret:"url"`
		Cluster string `yaml:"cluster"`
	} `yaml:"clickhouse"`
	Embedded struct {
		Addr     string `yaml:"addr"`
		Password string `yaml:"password" secret:""`
		// readerPassword is that of the user who only reads. It has no key: the program makes it.
		readerPassword string
	} `yaml:"embedded"`
	API struct {
		Tokens         []apiToken `yaml:"tokens"`
		TrustedProxies []string   `yaml:"trusted_proxies"`
	} `yaml:"api"`

	TLS     serverTLS      `yaml:"tls"`
	Sources []sourceConfig `yaml:"sources"`
	Ingest  struct {
		TrustedProxies     []string   `yaml:"trusted_proxies"`
		ReadHeaderTimeout  duration   `yaml:"read_header_timeout"`
		ReadTimeout        duration   `yaml:"read_timeout"`
		IdleTimeout        duration   `yaml:"idle_timeout"`
		MaxConnections     int        `yaml:"max_connections"`
		PerAddress         int        `yaml:"max_connections_per_address"`
		MaxMemory          size       `yaml:"max_memory"`
		RejectedPerAddress rateConfig `yaml:"rejected_per_address"`
		RejectedTotal      rateConfig `yaml:"rejected_total"`
		RejectedDaily      size       `yaml:"rejected_daily"`
	} `yaml:"ingest"`
	Spool struct {
		MaxBytes size `yaml:"max_bytes"`
		MinFree  size `yaml:"min_free"`
	} `yaml:"spool"`
	Drain struct {
		Rows  int      `yaml:"rows"`
		Bytes size     `yaml:"bytes"`
		Age   duration `yaml:"age"`
	} `yaml:"drain"`
	Endpoints []endpointConfig `yaml:"endpoints"`
	Replay    struct {
		AllowPrivate bool   `yaml:"allow_private"`
		Shard        string `yaml:"shard"`
	} `yaml:"replay"`
	Traces struct {
		Sample float64 `yaml:"sample"`
	} `yaml:"traces"`
	Retention retentionConfig `yaml:"retention"`

	empty bool // the file says nothing
}

type apiToken struct {
	Name  string   `yaml:"name"`
	Token string   `yaml:"token" secret:""`
	Role  api.Role `yaml:"role"`
}

type sourceConfig struct {
	Name         string     `yaml:"name"`
	Token        string     `yaml:"token" secret:""`
	TokenFile    string     `yaml:"token_file"`
	OldToken     string     `yaml:"old_token" secret:""`
	Kind         event.Kind `yaml:"kind"`
	SigningToken string     `yaml:"signing_token" secret:""`
	OldSigning   string     `yaml:"old_signing_token" secret:""`
	MaxBody      size       `yaml:"max_body"`

	Retention sourceRetentionConfig `yaml:"retention"`
}

type rateConfig struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

func defaultConfig() *config {
	c := &config{IngestAddr: "127.0.0.1:8080", APIAddr: "127.0.0.1:8081"}
	c.Embedded.Addr = "127.0.0.1:8123"
	c.Traces.Sample = 1
	in := ingest.DefaultOptions()
	c.Ingest.ReadHeaderTimeout, c.Ingest.ReadTimeout, c.Ingest.IdleTimeout = duration(in.Timeouts.ReadHeader), duration(in.Timeouts.Read), duration(in.Timeouts.Idle)
	c.Ingest.MaxConnections, c.Ingest.PerAddress = in.Limits.MaxConnections, in.Limits.MaxConnectionsPerAddress
	c.Ingest.MaxMemory, c.Ingest.RejectedDaily = size(in.Limits.MaxMemory), size(in.Limits.RejectedDaily)
	c.Ingest.RejectedPerAddress, c.Ingest.RejectedTotal = rateConfig(in.Limits.RejectedPerAddress), rateConfig(in.Limits.RejectedTotal)
	sp, limits := spool.DefaultOptions(), spool.DefaultLimits()
	c.Spool.MaxBytes, c.Spool.MinFree = size(sp.MaxBytes), size(sp.MinFree)
	c.Drain.Rows, c.Drain.Bytes, c.Drain.Age = limits.Records, size(limits.Bytes), duration(limits.Age)
	c.Retention = defaultRetention()
	return c
}

func (c *config) drainLimits() spool.Limits {
	return spool.Limits{Records: c.Drain.Rows, Bytes: int(c.Drain.Bytes), Age: time.Duration(c.Drain.Age)}
}

// dsn is the ClickHouse to use.
func (c *config) dsn() string {
	if c.ClickHouse.DSN != "" {
		return c.ClickHouse.DSN
	}
	return c.embeddedDSN(password.Writer, c.Embedded.Password)
}

// readerDSN is that ClickHouse as a user who only reads, if it is the embedded one; a server's users are the DSN's to name.
func (c *config) readerDSN() string {
	if c.ClickHouse.DSN != "" {
		return c.ClickHouse.DSN
	}
	return c.embeddedDSN(password.Reader, c.Embedded.readerPassword)
}

func (c *config) embeddedDSN(user, password string) string {
	u := url.URL{Scheme: "http", Host: c.Embedded.Addr, Path: "/hooktape"}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// findPasswords takes those of the embedded engine from the environment, the configuration or the data directory. The engine's first start writes the files; before, there is no password.
func (c *config) findPasswords(dataDir string, find func(file string) (string, error)) (err error) {
	for _, p := range []struct {
		value          *string
		variable, file string
	}{
		{&c.Embedded.Password, "HOOKTAPE_EMBEDDED_PASSWORD", password.WriterFile},
		{&c.Embedded.readerPassword, "HOOKTAPE_EMBEDDED_READER_PASSWORD", password.ReaderFile},
	} {
		if *p.value = cmp.Or(os.Getenv(p.variable), *p.value); *p.value != "" {
			continue
		}
		if *p.value, err = find(filepath.Join(dataDir, p.file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// openStore opens the store on that ClickHouse.
func (c *config) openStore() (*store.Store, error) {
	if c.ClickHouse.Cluster != "" && c.embedded() {
		return nil, errors.New("clickhouse.cluster: the embedded engine is no cluster; name a server of the cluster by clickhouse.dsn")
	}
	db, err := store.OpenCluster(c.dsn(), c.ClickHouse.Cluster)
	if err == nil && c.embedded() && c.Embedded.readerPassword != "" {
		err = db.UseReader(password.Reader, c.Embedded.readerPassword)
	}
	return db, err
}

// embedded tells whether ClickHouse is ours to start.
func (c *config) embedded() bool { return c.ClickHouse.DSN == "" }

func (c *config) ingestOptions() ingest.Options {
	o := ingest.DefaultOptions()
	o.Timeouts.ReadHeader, o.Timeouts.Read, o.Timeouts.Idle = time.Duration(c.Ingest.ReadHeaderTimeout), time.Duration(c.Ingest.ReadTimeout), time.Duration(c.Ingest.IdleTimeout)
	o.Timeouts.Write = time.Duration(c.Ingest.ReadTimeout) + 10*time.Second
	o.Limits.MaxConnections, o.Limits.MaxConnectionsPerAddress = c.Ingest.MaxConnections, c.Ingest.PerAddress
	o.Limits.MaxMemory, o.Limits.RejectedDaily = int64(c.Ingest.MaxMemory), int64(c.Ingest.RejectedDaily)
	o.Limits.RejectedPerAddress, o.Limits.RejectedTotal = ingest.Rate(c.Ingest.RejectedPerAddress), ingest.Rate(c.Ingest.RejectedTotal)
	o.TrustedProxies = proxies(c.Ingest.TrustedProxies)
	return o
}

// proxies reads networks that resolve has checked.
func proxies(networks []string) (list ingest.Proxies) {
	for _, n := range networks {
		list = append(list, netip.MustParsePrefix(n))
	}
	return list
}

func (c *config) sources() *ingest.Sources {
	var list []ingest.Source
	for _, s := range c.Sources {
		list = append(list, ingest.Source{Name: s.Name, Tokens: present(s.Token, s.OldToken),
			SigningTokens: present(s.SigningToken, s.OldSigning), Kind: s.Kind, MaxBody: int64(s.MaxBody)})
	}
	return ingest.NewSources(list)
}

func (c *config) replayOptions() replay.Options {
	return replay.Options{AllowPrivate: c.Replay.AllowPrivate}
}

// tokens are those of the API.
func (c *config) tokens() []api.Token {
	list := make([]api.Token, len(c.API.Tokens))
	for i, t := range c.API.Tokens {
		list[i] = api.Token{Name: t.Name, Secret: t.Token, Role: t.Role}
	}
	return list
}

func present(values ...string) (list []string) {
	for _, v := range values {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}

// hookURL is what a person pastes into BotHelp.
func (c *config) hookURL(s sourceConfig) string {
	return c.baseURL() + "/hooks/" + s.Name + "/" + s.Token
}
