package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

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
		RejectedPerAddress rateConfig `yaml:"rejected_per_address"`
		RejectedTotal      rateConfig `yaml:"rejected_total"`
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
}

type apiToken struct {
	Name  string   `yaml:"name"`
	Token string   `yaml:"token" secret:""`
	Role  api.Role `yaml:"role"`
}

type sourceConfig struct {
	Name         string            `yaml:"name"`
	Token        string            `yaml:"token" secret:""`
	TokenFile    string            `yaml:"token_file"`
	OldToken     string            `yaml:"old_token" secret:""`
	Kind         event.Kind        `yaml:"kind"`
	SigningToken string            `yaml:"signing_token" secret:""`
	OldSigning   string            `yaml:"old_signing_token" secret:""`
	MaxBody      size              `yaml:"max_body"`
	Labels       map[string]string `yaml:"labels"`

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
	c.Ingest.MaxConnections = in.Limits.MaxConnections
	c.Ingest.RejectedPerAddress, c.Ingest.RejectedTotal = rateConfig(in.Limits.RejectedPerAddress), rateConfig(in.Limits.RejectedTotal)
	sp, limits := spool.DefaultOptions(), spool.DefaultLimits()
	c.Spool.MaxBytes, c.Spool.MinFree = size(sp.MaxBytes), size(sp.MinFree)
	c.Drain.Rows, c.Drain.Bytes, c.Drain.Age = limits.Records, size(limits.Bytes), duration(limits.Age)
	c.Replay.Shard = "1/1"
	c.Retention = defaultRetention()
	return c
}

// maxShards is more processes than one ClickHouse could be asked by.
const maxShards = 1024

// shard is which of how many parts of the subscribers this process delivers to: 2/4 is the second of four.
func (c *config) shard() (index, count int, err error) {
	first, second, _ := strings.Cut(c.Replay.Shard, "/")
	index, wrong := strconv.Atoi(first)
	count, alsoWrong := strconv.Atoi(second)
	if wrong != nil || alsoWrong != nil || index < 1 || index > count || count > maxShards {
		return 0, 0, fmt.Errorf("%q is no shard such as 2/4, the second of four", c.Replay.Shard)
	}
	return index, count, nil
}

func (c *config) drainLimits() spool.Limits {
	return spool.Limits{Records: c.Drain.Rows, Bytes: int(c.Drain.Bytes), Age: time.Duration(c.Drain.Age)}
}

// dsn is the ClickHouse to use.
func (c *config) dsn() string {
	if c.ClickHouse.DSN != "" {
		return c.ClickHouse.DSN
	}
	u := url.URL{Scheme: "http", Host: c.Embedded.Addr, Path: "/hooktape"}
	if c.Embedded.Password != "" {
		u.User = url.UserPassword("default", c.Embedded.Password)
	}
	return u.String()
}

// openStore opens the store on that ClickHouse.
func (c *config) openStore() (*store.Store, error) {
	if c.ClickHouse.Cluster != "" && c.embedded() {
		return nil, errors.New("clickhouse.cluster: the embedded engine is no cluster; name a server of the cluster by clickhouse.dsn")
	}
	return store.OpenCluster(c.dsn(), c.ClickHouse.Cluster)
}

// embedded tells whether ClickHouse is ours to start.
func (c *config) embedded() bool { return c.ClickHouse.DSN == "" }

func (c *config) ingestOptions() ingest.Options {
	o := ingest.DefaultOptions()
	o.Timeouts.ReadHeader, o.Timeouts.Read, o.Timeouts.Idle = time.Duration(c.Ingest.ReadHeaderTimeout), time.Duration(c.Ingest.ReadTimeout), time.Duration(c.Ingest.IdleTimeout)
	o.Timeouts.Write = time.Duration(c.Ingest.ReadTimeout) + 10*time.Second
	o.Limits.MaxConnections = c.Ingest.MaxConnections
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
	index, count, _ := c.shard() // resolve has checked it
	return replay.Options{AllowPrivate: c.Replay.AllowPrivate, Shard: store.Shard{Index: uint32(index), Count: uint32(count)}}
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
