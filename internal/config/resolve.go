package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/setting"
	"hooktape/replay"
	"hooktape/web/api"
)

var (
	sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	// accountName is a label of a host name, because it becomes a part of one.
	accountName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// minTokenBytes rules out guessable tokens: 16 random characters have too many combinations to try.
const minTokenBytes = 16

// resolve fills in values from the environment and from files, and returns every fault of the configuration.
func (c *Config) resolve(lookup func(string) (string, bool)) error {
	check := &checker{lookup: lookup}
	check.secret("clickhouse.dsn", &c.ClickHouse.DSN)
	check.secret("embedded.password", &c.Embedded.Password)
	c.resolveTokens(check)
	c.resolvePublicURL(check)
	c.TLS.resolve(check)
	check.Unless(c.BothelpAccount == "" || accountName.MatchString(c.BothelpAccount), "bothelp_account",
		"%q must be the NAME in https://NAME.bothelp.io", c.BothelpAccount)
	check.section("ingest", c.Ingest.Validate())
	c.resolveSources(check)
	sample := c.Traces.Sample
	// false for .nan
	check.Unless(sample >= 0 && sample <= 1, "traces.sample", "must lie between 0 and 1, is %v", sample)
	check.Err("drain", c.Drain.Validate())
	c.resolveEndpoints(check)
	check.Unless(c.Replay.Shard == "" || c.Replay.Shard == "1/1", "replay.shard",
		"%q: one process delivers, and a second one stands by; remove this key, and stop the other processes; "+
			"if one is too slow, raise the concurrency of the endpoints or use a larger ClickHouse", c.Replay.Shard)
	return errors.Join(check.Faults...)
}

func (c *Config) resolvePublicURL(check *checker) {
	if c.PublicURL == "" {
		return
	}
	c.PublicURL = outbound.Trim(c.PublicURL)
	check.Unless(!strings.ContainsFunc(c.PublicURL, outbound.Invisible), "public_url",
		"must have no white space or invisible character")
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		check.Unless(false, "public_url", "must be a URL such as https://hooks.example.org")
		return
	}
	check.Unless(u.User == nil && !strings.ContainsAny(c.PublicURL, "?#"), "public_url",
		"must end with the host or a path: hook URLs are made by adding /hooks/… to it, so there can be no query, "+
			"fragment or user")
}

// resolve writes the domains as a client's handshake has them.
func (t TLS) resolve(check *checker) {
	files := t.Cert != "" || t.Key != ""
	check.Unless(!files || len(t.Autocert) == 0, "tls.autocert",
		"cert and key exclude autocert: take the one or the other")
	check.Unless(!files || len(t.Autocert) > 0 || t.Cert != "" && t.Key != "", "tls", "needs both cert and key")
	check.Unless(!t.API || files || t.On(), "tls.api", "needs cert and key, or autocert")
	for i, domain := range t.Autocert {
		ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
		valid := err == nil && strings.Index(ascii, ".") >= 1 && net.ParseIP(ascii) == nil
		check.Unless(valid, fmt.Sprintf("tls.autocert[%d]", i), "%q is no domain such as hooks.example.org", domain)
		t.Autocert[i] = ascii
	}
	u, err := url.Parse(t.DirectoryURL)
	check.Unless(t.DirectoryURL == "" || err == nil && u.Host != "" && u.Scheme == "https", "tls.directory_url",
		"must be a URL such as https://acme-staging-v02.api.letsencrypt.org/directory")
	for key, value := range map[string]string{"email": t.Email, "directory_url": t.DirectoryURL,
		"http_addr": t.HTTPAddr} {
		check.Unless(value == "" || len(t.Autocert) > 0, "tls."+key, "is of use with autocert only")
	}
}

func (c *Config) resolveTokens(check *checker) {
	secrets := map[string]bool{}
	for i := range c.API.Tokens {
		t, key := &c.API.Tokens[i], fmt.Sprintf("api.tokens[%d]", i)
		check.secret(key+".token", &t.Secret)
		t.Role = cmp.Or(t.Role, api.RoleAdmin)
		check.Unless(t.Name != "", key+".name", "must be there: a replay is made in its name")
		check.once(key, "token", t.Name)
		check.Unless(len(t.Secret) >= minTokenBytes, key+".token", "must have at least %d characters", minTokenBytes)
		check.Unless(!secrets[t.Secret], key+".token", "is another one's as well")
		check.Unless(slices.Contains(api.Roles, t.Role), key+".role", "%q is none of %s", t.Role,
			event.Words(api.Roles))
		secrets[t.Secret] = t.Secret != ""
	}
}

func (c *Config) resolveSources(check *checker) {
	for i := range c.Sources {
		s, key := &c.Sources[i], fmt.Sprintf("sources[%d]", i)
		check.Unless(sourceName.MatchString(s.Name), key+".name",
			"%q must be lower-case letters, digits, - and _, at most 64, a letter or digit first", s.Name)
		check.once(key, "source", s.Name)
		check.secret(key+".token", &s.Token)
		check.secret(key+".old_token", &s.OldToken)
		check.secret(key+".signing_token", &s.SigningToken)
		check.secret(key+".old_signing_token", &s.OldSigning)
		if s.TokenFile != "" {
			check.Unless(s.Token == "", key+".token_file", "token and token_file exclude each other")
			s.Token = check.file(key+".token_file", s.TokenFile)
		}
		check.Unless(len(s.Token) >= minTokenBytes, key+".token",
			"must have at least %d characters; `hooktape sources add` makes a random one", minTokenBytes)
		check.Unless(s.OldToken == "" || len(s.OldToken) >= minTokenBytes, key+".old_token",
			"must have at least %d characters", minTokenBytes)
		check.Unless(!strings.ContainsAny(s.Token+s.OldToken, "/?#% "), key+".token",
			"must be fit for a URL: none of / ? # %% and no space")
		known := s.Kind == "" || s.Kind != event.KindUnknown && slices.Contains(event.Kinds, s.Kind)
		check.Unless(known, key+".kind", "%q is none of flow, conversation_closed, user_profile_viewed", s.Kind)
		check.Unless(s.MaxBody <= 16<<20, key+".max_body", "must lie between 1 and 16MiB")
		if s.Forward != nil {
			check.section(key+".forward", s.Forward.Validate())
			known := namesOf(c.Endpoints)
			check.Unless(s.Forward.To == "" || slices.Contains(known, s.Forward.To), key+".forward.to",
				"there is no endpoint %q; there are %s", s.Forward.To, cmp.Or(strings.Join(known, ", "), "none"))
		}
	}
}

func (c *Config) resolveEndpoints(check *checker) {
	for i := range c.Endpoints {
		e, key := &c.Endpoints[i], fmt.Sprintf("endpoints[%d]", i)
		check.secret(key+".url", &e.URL)
		if clean, err := outbound.CleanURL(e.URL); err == nil { // otherwise Validate reports the error
			e.URL = clean
		}
		for i := range e.Headers {
			check.valueOrFile(fmt.Sprintf("%s.headers[%d]", key, i), &e.Headers[i].Secret)
		}
		for i := range e.Sign.Secrets {
			check.valueOrFile(fmt.Sprintf("%s.sign.secrets[%d]", key, i), &e.Sign.Secrets[i])
		}
		check.once(key, "endpoint", e.Name)
		if e.Subscribe != nil {
			c.checkSubscription(check, key+".subscribe", e.Subscribe)
		}
		endpoint := e.resolved()
		check.section(key, endpoint.Validate())
	}
}

func namesOf(endpoints []Endpoint) (names []string) {
	for _, e := range endpoints {
		names = append(names, e.Name)
	}
	return names
}

// checkSubscription rejects sources that do not exist: with a misspelt name, an endpoint would receive nothing without
// a notice.
func (c *Config) checkSubscription(check *checker, key string, s *replay.Subscription) {
	var known []string
	for _, source := range c.Sources {
		known = append(known, source.Name)
	}
	for i, name := range s.Sources {
		check.Unless(slices.Contains(known, name), fmt.Sprintf("%s.sources[%d]", key, i),
			"there is no source %q; there are %s", name, cmp.Or(strings.Join(known, ", "), "none"))
	}
}

// checker collects faults, and fills in values from the environment and from files.
type checker struct {
	setting.Faults
	lookup func(string) (string, bool) // environment variables
	names  map[[2]string]bool          // kinds and names so far
}

// once adds a fault if another thing of its kind has the same name.
func (c *checker) once(key, kind, name string) {
	if c.names == nil {
		c.names = map[[2]string]bool{}
	}
	thing := [2]string{kind, name}
	c.Unless(name == "" || !c.names[thing], key+".name", "the %s %q is there twice", kind, name)
	c.names[thing] = true
}

// section adds the faults of a section that another package has checked.
func (c *checker) section(section string, err error) {
	for _, err := range Errors(err) {
		if fault, ok := errors.AsType[*setting.Fault](err); ok {
			c.Unless(false, section+"."+fault.Key, "%s", fault.Text)
		}
	}
}

// secret replaces ${NAME} by the value of an environment variable.
func (c *checker) secret(key string, value *string) {
	if name, ok := strings.CutPrefix(*value, "${"); ok && strings.HasSuffix(name, "}") {
		name = strings.TrimSuffix(name, "}")
		set, ok := c.lookup(name)
		c.Unless(ok && set != "", key, "the environment variable %s is not set", name)
		*value = set
	}
}

// valueOrFile fills in a secret that is either a value or in a file.
func (c *checker) valueOrFile(key string, s *secret) {
	switch {
	case s.ValueFile == "" && s.Value == "":
		c.Unless(false, key, "needs value or value_file")
	case s.ValueFile == "":
		c.secret(key+".value", &s.Value)
	case s.Value != "":
		c.Unless(false, key+".value_file", "value and value_file exclude each other")
	default:
		s.Value = c.file(key+".value_file", s.ValueFile)
	}
}

// file reads a secret from a file.
func (c *checker) file(key, path string) string {
	texts, _, err := setting.ReadFiles(path)
	if err != nil {
		c.Err(key, err)
		return ""
	}
	return secretText(texts[0])
}
