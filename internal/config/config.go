// Package config is hooktape's configuration: the file hooktape.yaml, what flags and environment set over it, and the
// data directory. It provides the sources, endpoints, retention and store in the form that other packages take.
//
// Every error of a file names the file, the line and the key, and never shows a value that may be a secret.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/web/api"
)

// Config is hooktape.yaml; hooktape.example.yaml explains each key. Every int64 is a size in bytes. The tag secret
// hides a value when the configuration is printed; its value "url" hides only the password and the query of a URL.
type Config struct {
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
		// ReaderPassword is the password of the user with read access. It has no key: hooktape generates it.
		ReaderPassword string `yaml:"-"`
	} `yaml:"embedded"`
	API struct {
		Tokens         []api.Token    `yaml:"tokens"`
		TrustedProxies ingest.Proxies `yaml:"trusted_proxies"`
	} `yaml:"api"`

	TLS       TLS            `yaml:"tls"`
	Sources   []Source       `yaml:"sources"`
	Ingest    ingest.Options `yaml:"ingest"`
	Spool     spool.Options  `yaml:"spool"`
	Drain     spool.Limits   `yaml:"drain"`
	Endpoints []Endpoint     `yaml:"endpoints"`
	Replay    struct {
		AllowPrivate bool   `yaml:"allow_private"`
		Shard        string `yaml:"shard"` // was removed; only 1/1 is accepted
	} `yaml:"replay"`
	Traces struct {
		Sample float64 `yaml:"sample"`
	} `yaml:"traces"`
	Retention store.Retention `yaml:"retention"`

	empty bool // the file has nothing but comments
}

// Source is one place that BotHelp posts to.
type Source struct {
	Name         string                `yaml:"name"`
	Token        string                `yaml:"token" secret:""`
	TokenFile    string                `yaml:"token_file"`
	OldToken     string                `yaml:"old_token" secret:""`
	Kind         event.Kind            `yaml:"kind"`
	SigningToken string                `yaml:"signing_token" secret:""`
	OldSigning   string                `yaml:"old_signing_token" secret:""`
	MaxBody      int64                 `yaml:"max_body"`
	Forward      *ingest.Forward       `yaml:"forward"`
	Retention    store.SourceRetention `yaml:"retention"`
}

// TLS says which certificates the listeners use.
type TLS struct {
	Cert         string   `yaml:"cert"`
	Key          string   `yaml:"key"`
	Autocert     []string `yaml:"autocert"`
	Email        string   `yaml:"email"`
	DirectoryURL string   `yaml:"directory_url"`
	HTTPAddr     string   `yaml:"http_addr"`
	API          bool     `yaml:"api"`
}

// On reports whether webhooks are received over HTTPS.
func (t TLS) On() bool { return t.Cert != "" || len(t.Autocert) > 0 }

// Default returns the configuration of an empty file.
func Default() *Config {
	c := &Config{
		IngestAddr: "127.0.0.1:8080",
		APIAddr:    "127.0.0.1:8081",
		Ingest:     ingest.DefaultOptions(),
		Spool:      spool.DefaultOptions(),
		Drain:      spool.DefaultLimits(),
		Retention:  store.DefaultRetention,
	}
	c.Embedded.Addr = "127.0.0.1:8123"
	c.Traces.Sample = 1
	return c
}

// UsesEngine reports whether ClickHouse is the embedded engine, because no server is configured.
func (c *Config) UsesEngine() bool { return c.ClickHouse.DSN == "" }

// DSN returns the DSN of ClickHouse as the user with write access.
func (c *Config) DSN() string {
	if !c.UsesEngine() {
		return c.ClickHouse.DSN
	}
	return c.engineDSN(embedded.Writer, c.Embedded.Password)
}

// ReaderDSN returns the DSN of ClickHouse as the user with read access. A server has the users that its administrator
// created, so there it is the same as DSN.
func (c *Config) ReaderDSN() string {
	if !c.UsesEngine() {
		return c.ClickHouse.DSN
	}
	return c.engineDSN(embedded.Reader, c.Embedded.ReaderPassword)
}

func (c *Config) engineDSN(user, password string) string {
	u := url.URL{Scheme: "http", Host: c.Embedded.Addr, Path: "/hooktape"}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// EnsurePasswords creates the embedded engine's passwords, unless the environment, the configuration or a file in the
// data directory has them.
func (c *Config) EnsurePasswords(data DataDir) error {
	return c.findPasswords(data, embedded.EnsurePassword)
}

// findPasswords takes the embedded engine's passwords from the environment, the configuration or the data directory, in
// this order. A password file that does not exist leaves the password empty: the engine's first start creates it.
func (c *Config) findPasswords(data DataDir, find func(file string) (string, error)) (err error) {
	for _, p := range []struct {
		value          *string
		variable, file string
	}{
		{&c.Embedded.Password, "HOOKTAPE_EMBEDDED_PASSWORD", embedded.WriterPasswordFile},
		{&c.Embedded.ReaderPassword, "HOOKTAPE_EMBEDDED_READER_PASSWORD", embedded.ReaderPasswordFile},
	} {
		if *p.value = cmp.Or(os.Getenv(p.variable), *p.value); *p.value != "" {
			continue
		}
		*p.value, err = find(filepath.Join(string(data), p.file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// OpenStore opens the store on ClickHouse. It connects when the store is first used.
func (c *Config) OpenStore() (*store.Store, error) {
	if c.ClickHouse.Cluster != "" && c.UsesEngine() {
		return nil, errors.New("clickhouse.cluster: the embedded engine is no cluster; name a server of the cluster " +
			"by clickhouse.dsn")
	}
	db, err := store.OpenCluster(c.DSN(), c.ClickHouse.Cluster)
	if err == nil && c.UsesEngine() && c.Embedded.ReaderPassword != "" {
		err = db.UseReader(embedded.Reader, c.Embedded.ReaderPassword)
	}
	return db, err
}

// StoreRetention returns the configured retention, with that of each source.
func (c *Config) StoreRetention() store.Retention {
	r := c.Retention
	r.Sources = map[string]store.SourceRetention{}
	for _, s := range c.Sources {
		r.Sources[s.Name] = s.Retention
	}
	return r
}

// IngestSources returns the sources as the ingest takes them.
func (c *Config) IngestSources() *ingest.Sources {
	var list []ingest.Source
	for _, s := range c.Sources {
		list = append(list, ingest.Source{
			Name:          s.Name,
			Tokens:        notEmpty(s.Token, s.OldToken),
			SigningTokens: notEmpty(s.SigningToken, s.OldSigning),
			Kind:          s.Kind,
			MaxBody:       s.MaxBody,
			Forward:       c.forward(s),
		})
	}
	return ingest.NewSources(list)
}

// Forwards returns the endpoint of each source that forwards External Requests, by the source's name.
func (c *Config) Forwards() map[string]string {
	to := map[string]string{}
	for _, s := range c.Sources {
		if s.Forward != nil {
			to[s.Name] = s.Forward.To
		}
	}
	return to
}

// forward returns a source's forwarding with the endpoint that it names, or nil.
func (c *Config) forward(s Source) *ingest.Forward {
	if s.Forward == nil {
		return nil
	}
	f := *s.Forward
	for _, e := range c.Endpoints {
		if e.Name == f.To {
			endpoint := e.resolved()
			f.Endpoint, f.Breaker = endpoint.Endpoint, endpoint.Breaker
		}
	}
	return &f
}

func notEmpty(values ...string) (list []string) {
	for _, v := range values {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}

// HookURL returns the URL that a person pastes into BotHelp. It contains the source's token.
func (c *Config) HookURL(s Source) string {
	return c.BaseURL() + "/hooks/" + s.Name + "/" + s.Token
}

// BaseURL returns what every hook URL begins with: public_url or, without one, the ingest's own address.
func (c *Config) BaseURL() string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	addr := c.IngestAddr
	if len(c.TLS.Autocert) > 0 {
		_, port, _ := net.SplitHostPort(addr)
		addr = net.JoinHostPort(c.TLS.Autocert[0], port)
	}
	if c.TLS.On() {
		addr = strings.TrimSuffix(addr, ":443")
	}
	return scheme(c.TLS.On()) + "://" + addr
}

// IngestURL returns the URL of the ingest's listener.
func (c *Config) IngestURL() string { return scheme(c.TLS.On()) + "://" + c.IngestAddr }

// APIURL returns the URL of the API's and console's listener.
func (c *Config) APIURL() string { return scheme(c.TLS.API) + "://" + c.APIAddr }

func scheme(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// NotEmpty returns an error for a configuration whose file, at path, has nothing but comments: that is an accident, and
// without sources and endpoints nothing would be received or delivered.
func (c *Config) NotEmpty(path string) error {
	if c.empty {
		return fmt.Errorf("%s is empty: restore it; or remove it, and `hooktape serve` writes a new one with a new "+
			"source", path)
	}
	return nil
}
