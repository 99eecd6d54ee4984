package main

import (
	"cmp"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/web/api"
)

// config is hooktape.yaml. hooktape.example.yaml explains each key. Every int64 is a size in bytes; see formats.
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
		Tokens         []api.Token    `yaml:"tokens"`
		TrustedProxies ingest.Proxies `yaml:"trusted_proxies"`
	} `yaml:"api"`

	TLS       serverTLS        `yaml:"tls"`
	Sources   []sourceConfig   `yaml:"sources"`
	Ingest    ingest.Options   `yaml:"ingest"`
	Spool     spool.Options    `yaml:"spool"`
	Drain     spool.Limits     `yaml:"drain"`
	Endpoints []endpointConfig `yaml:"endpoints"`
	Replay    struct {
		AllowPrivate bool   `yaml:"allow_private"`
		Shard        string `yaml:"shard"`
	} `yaml:"replay"`
	Traces struct {
		Sample float64 `yaml:"sample"`
	} `yaml:"traces"`
	Retention store.Retention `yaml:"retention"`

	empty bool // the file says nothing
}

type sourceConfig struct {
	Name         string                `yaml:"name"`
	Token        string                `yaml:"token" secret:""`
	TokenFile    string                `yaml:"token_file"`
	OldToken     string                `yaml:"old_token" secret:""`
	Kind         event.Kind            `yaml:"kind"`
	SigningToken string                `yaml:"signing_token" secret:""`
	OldSigning   string                `yaml:"old_signing_token" secret:""`
	MaxBody      int64                 `yaml:"max_body"`
	Retention    store.SourceRetention `yaml:"retention"`
}

func defaultConfig() *config {
	c := &config{IngestAddr: "127.0.0.1:8080", APIAddr: "127.0.0.1:8081", Ingest: ingest.DefaultOptions(), Spool: spool.DefaultOptions(),
		Drain: spool.DefaultLimits(), Retention: store.DefaultRetention}
	c.Embedded.Addr = "127.0.0.1:8123"
	c.Traces.Sample = 1
	return c
}

// dsn is the ClickHouse to use.
func (c *config) dsn() string {
	if c.ClickHouse.DSN != "" {
		return c.ClickHouse.DSN
	}
	return c.embeddedDSN(embedded.Writer, c.Embedded.Password)
}

// readerDSN is that ClickHouse as a user who only reads, if it is the embedded one; a server's users are the DSN's to name.
func (c *config) readerDSN() string {
	if c.ClickHouse.DSN != "" {
		return c.ClickHouse.DSN
	}
	return c.embeddedDSN(embedded.Reader, c.Embedded.readerPassword)
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
		{&c.Embedded.Password, "HOOKTAPE_EMBEDDED_PASSWORD", embedded.WriterPasswordFile},
		{&c.Embedded.readerPassword, "HOOKTAPE_EMBEDDED_READER_PASSWORD", embedded.ReaderPasswordFile},
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
		err = db.UseReader(embedded.Reader, c.Embedded.readerPassword)
	}
	return db, err
}

// embedded tells whether ClickHouse is ours to start.
func (c *config) embedded() bool { return c.ClickHouse.DSN == "" }

// retention is what is to be in force.
func (c *config) retention() store.Retention {
	r := c.Retention
	r.Sources = map[string]store.SourceRetention{}
	for _, s := range c.Sources {
		r.Sources[s.Name] = s.Retention
	}
	return r
}

func (c *config) sources() *ingest.Sources {
	var list []ingest.Source
	for _, s := range c.Sources {
		list = append(list, ingest.Source{Name: s.Name, Tokens: present(s.Token, s.OldToken),
			SigningTokens: present(s.SigningToken, s.OldSigning), Kind: s.Kind, MaxBody: s.MaxBody})
	}
	return ingest.NewSources(list)
}

func (c *config) replayOptions() replay.Options {
	return replay.Options{AllowPrivate: c.Replay.AllowPrivate}
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
