package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"hooktape/event"
	"hooktape/ingest"
	"hooktape/spool"
)

// config is hooktape.yaml. hooktape.example.yaml explains each key.
type config struct {
	PublicURL  string `yaml:"public_url"`
	IngestAddr string `yaml:"ingest_addr"`
	APIAddr    string `yaml:"api_addr"`
	OpsAddr    string `yaml:"ops_addr"`

	ClickHouse struct {
		DSN string `yaml:"dsn"`
	} `yaml:"clickhouse"`
	Embedded struct {
		Addr     string `yaml:"addr"`
		Password string `yaml:"password"`
	} `yaml:"embedded"`
	API struct {
		Tokens []apiToken `yaml:"tokens"`
	} `yaml:"api"`

	Sources []sourceConfig `yaml:"sources"`
	Ingest  struct {
		TrustedProxies     []string      `yaml:"trusted_proxies"`
		ReadHeaderTimeout  time.Duration `yaml:"read_header_timeout"`
		ReadTimeout        time.Duration `yaml:"read_timeout"`
		IdleTimeout        time.Duration `yaml:"idle_timeout"`
		MaxConnections     int           `yaml:"max_connections"`
		RejectedPerAddress rateConfig    `yaml:"rejected_per_address"`
		RejectedTotal      rateConfig    `yaml:"rejected_total"`
	} `yaml:"ingest"`
	Spool struct {
		MaxBytes size `yaml:"max_bytes"`
		MinFree  size `yaml:"min_free"`
	} `yaml:"spool"`
	Drain struct {
		Rows  int           `yaml:"rows"`
		Bytes size          `yaml:"bytes"`
		Age   time.Duration `yaml:"age"`
	} `yaml:"drain"`
	Replay struct {
		AllowPrivate bool `yaml:"allow_private"`
	} `yaml:"replay"`
}

type apiToken struct {
	Name  string `yaml:"name"`
	Token string `yaml:"token"`
}

type sourceConfig struct {
	Name         string            `yaml:"name"`
	Token        string            `yaml:"token"`
	TokenFile    string            `yaml:"token_file"`
	OldToken     string            `yaml:"old_token"`
	Kind         event.Kind        `yaml:"kind"`
	SigningToken string            `yaml:"signing_token"`
	OldSigning   string            `yaml:"old_signing_token"`
	MaxBody      size              `yaml:"max_body"`
	Labels       map[string]string `yaml:"labels"`
}

type rateConfig struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

func defaultConfig() *config {
	c := &config{IngestAddr: "127.0.0.1:8080", APIAddr: "127.0.0.1:8081"}
	c.Embedded.Addr = "127.0.0.1:8123"
	in := ingest.DefaultOptions()
	c.Ingest.ReadHeaderTimeout, c.Ingest.ReadTimeout, c.Ingest.IdleTimeout = in.Timeouts.ReadHeader, in.Timeouts.Read, in.Timeouts.Idle
	c.Ingest.MaxConnections = in.Limits.MaxConnections
	c.Ingest.RejectedPerAddress, c.Ingest.RejectedTotal = rateConfig(in.Limits.RejectedPerAddress), rateConfig(in.Limits.RejectedTotal)
	sp, limits := spool.DefaultOptions(), spool.DefaultLimits()
	c.Spool.MaxBytes, c.Spool.MinFree = size(sp.MaxBytes), size(sp.MinFree)
	c.Drain.Rows, c.Drain.Bytes, c.Drain.Age = limits.Records, size(limits.Bytes), limits.Age
	return c
}

// loadConfig reads and checks a configuration file. Its errors name the file, the line and the key; they never show a
// line of the file, which may hold a secret.
func loadConfig(path string) (*config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := defaultConfig()
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField()).Decode(c); err != nil && len(bytes.TrimSpace(data)) > 0 {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	if err := c.resolve(os.LookupEnv); err != nil {
		return nil, at(path, data, err)
	}
	return c, nil
}

// keyError is a fault of the value at a key, such as $.sources[0].name.
type keyError struct {
	key  string
	text string
}

func (e *keyError) Error() string { return strings.TrimPrefix(e.key, "$.") + ": " + e.text }

// at puts file and line before each key error.
func at(path string, data []byte, err error) error {
	var lines []error
	for _, err := range unjoin(err) {
		line := ""
		if ke, ok := errors.AsType[*keyError](err); ok {
			line = lineOf(data, ke.key)
		}
		lines = append(lines, fmt.Errorf("%s%s: %w", path, line, err))
	}
	return errors.Join(lines...)
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// lineOf finds the line of a key or, where the key is absent, of the nearest thing around it that is there.
func lineOf(data []byte, key string) string {
	for key != "$" && key != "" {
		if path, err := yaml.PathString(key); err == nil {
			if node, err := path.ReadNode(bytes.NewReader(data)); err == nil {
				return fmt.Sprintf(":%d", node.GetToken().Position.Line)
			}
		}
		key = key[:strings.LastIndexAny(key, ".[")]
	}
	return ""
}

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// minTokenBytes keeps guessable tokens out: 16 random characters are more than anyone can try.
const minTokenBytes = 16

// resolve fills in what stands elsewhere (environment, files) and says all that is wrong at once.
func (c *config) resolve(lookup func(string) (string, bool)) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, &keyError{"$." + key, fmt.Sprintf(format, args...)})
	}
	secret := func(key string, value *string) {
		if name, ok := strings.CutPrefix(*value, "${"); ok && strings.HasSuffix(name, "}") {
			name = strings.TrimSuffix(name, "}")
			set, ok := lookup(name)
			if !ok || set == "" {
				wrong(key, "the environment variable %s is not set", name)
			}
			*value = set
		}
	}
	secret("clickhouse.dsn", &c.ClickHouse.DSN)
	secret("embedded.password", &c.Embedded.Password)
	for i := range c.API.Tokens {
		key := fmt.Sprintf("api.tokens[%d]", i)
		secret(key+".token", &c.API.Tokens[i].Token)
		if len(c.API.Tokens[i].Token) < minTokenBytes {
			wrong(key+".token", "must have at least %d characters", minTokenBytes)
		}
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			wrong("public_url", "must be a URL such as https://hooks.example.org")
		}
	}
	for i, p := range c.Ingest.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			wrong(fmt.Sprintf("ingest.trusted_proxies[%d]", i), "%q is no network such as 10.0.0.0/8", p)
		}
	}
	seen := map[string]bool{}
	for i := range c.Sources {
		s, key := &c.Sources[i], fmt.Sprintf("sources[%d]", i)
		if !sourceName.MatchString(s.Name) {
			wrong(key+".name", "%q must be lower-case letters, digits, - and _, at most 64, a letter or digit first", s.Name)
		}
		if seen[s.Name] {
			wrong(key+".name", "the source %q is there twice", s.Name)
		}
		seen[s.Name] = true
		secret(key+".token", &s.Token)
		secret(key+".old_token", &s.OldToken)
		secret(key+".signing_token", &s.SigningToken)
		secret(key+".old_signing_token", &s.OldSigning)
		if s.TokenFile != "" {
			text, err := os.ReadFile(s.TokenFile)
			if err != nil {
				wrong(key+".token_file", "%v", err)
			}
			if s.Token != "" {
				wrong(key+".token_file", "token and token_file exclude each other")
			}
			s.Token = strings.TrimSpace(string(text))
		}
		if len(s.Token) < minTokenBytes {
			wrong(key+".token", "must have at least %d characters; `hooktape sources add` makes a random one", minTokenBytes)
		}
		if s.OldToken != "" && len(s.OldToken) < minTokenBytes {
			wrong(key+".old_token", "must have at least %d characters", minTokenBytes)
		}
		if strings.ContainsAny(s.Token+s.OldToken, "/?#% ") {
			wrong(key+".token", "must be fit for a URL: none of / ? # %% and no space")
		}
		switch s.Kind {
		case "", event.KindFlow, event.KindConversationClosed, event.KindUserProfileViewed:
		default:
			wrong(key+".kind", "%q is none of flow, conversation_closed, user_profile_viewed", s.Kind)
		}
		if s.MaxBody < 0 || s.MaxBody > 16<<20 {
			wrong(key+".max_body", "must lie between 1 and 16MiB")
		}
	}
	if err := c.drainLimits().Validate(); err != nil {
		wrong("drain", "%v", err)
	}
	return errors.Join(errs...)
}

func (c *config) drainLimits() spool.Limits {
	return spool.Limits{Records: c.Drain.Rows, Bytes: int(c.Drain.Bytes), Age: c.Drain.Age}
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

// embedded tells whether ClickHouse is ours to start.
func (c *config) embedded() bool { return c.ClickHouse.DSN == "" }

func (c *config) ingestOptions() ingest.Options {
	o := ingest.DefaultOptions()
	o.Timeouts.ReadHeader, o.Timeouts.Read, o.Timeouts.Idle = c.Ingest.ReadHeaderTimeout, c.Ingest.ReadTimeout, c.Ingest.IdleTimeout
	o.Timeouts.Write = c.Ingest.ReadTimeout + 10*time.Second
	o.Limits.MaxConnections = c.Ingest.MaxConnections
	o.Limits.RejectedPerAddress, o.Limits.RejectedTotal = ingest.Rate(c.Ingest.RejectedPerAddress), ingest.Rate(c.Ingest.RejectedTotal)
	for _, p := range c.Ingest.TrustedProxies {
		o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
	}
	return o
}

func (c *config) sources() *ingest.Sources {
	var list []ingest.Source
	for _, s := range c.Sources {
		list = append(list, ingest.Source{Name: s.Name, Tokens: present(s.Token, s.OldToken),
			SigningTokens: present(s.SigningToken, s.OldSigning), Kind: s.Kind, MaxBody: int64(s.MaxBody)})
	}
	return ingest.NewSources(list)
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
	base := strings.TrimRight(c.PublicURL, "/")
	if base == "" {
		base = "http://" + c.IngestAddr
	}
	return base + "/hooks/" + s.Name + "/" + s.Token
}
