package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"

	"hooktape/internal/event"
	"hooktape/internal/setting"
	"hooktape/internal/settled"
	"hooktape/web/api"
)

// loadConfig reads and checks a configuration file. Its errors name the file, the line and the key; they never show a
// line of the file, which may hold a secret.
func loadConfig(path string) (*config, error) {
	texts, _, err := settled.Read(path)
	if err != nil {
		return nil, err
	}
	return parseConfig(path, texts[0])
}

// parseConfig checks a configuration file's text; path is for the messages.
func parseConfig(path string, data []byte) (*config, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	c := defaultConfig()
	if c.empty = saysNothing(data); !c.empty { // which would be decoded as null, and take the defaults away
		if err := yaml.NewDecoder(bytes.NewReader(data), formats...).Decode(c); err != nil {
			return nil, decodeError(path, data, err)
		}
	}
	if err := c.resolve(os.LookupEnv); err != nil {
		return nil, at(path, data, err)
	}
	return c, nil
}

// notEmpty returns an error for a file that says nothing: that is an accident, and nothing would be taken or delivered.
func (c *config) notEmpty(path string) error {
	if c.empty {
		return fmt.Errorf("%s is empty: restore it; or remove it, and `hooktape serve` writes a new one with a new source", path)
	}
	return nil
}

// byteOrderMark is what some editors put before UTF-8.
var byteOrderMark = []byte("\uFEFF")

// saysNothing tells a file that is empty, or has nothing but comments.
func saysNothing(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// at puts file and line before each error.
func at(path string, data []byte, err error) error {
	var lines []error
	for _, err := range unjoin(err) {
		line := ""
		if fault, ok := errors.AsType[*setting.Fault](err); ok {
			line = lineOf(data, "$."+fault.Key)
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

// accountName is a name of a host, for it becomes a part of one.
var accountName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// minTokenBytes keeps guessable tokens out: 16 random characters are more than anyone can try.
const minTokenBytes = 16

// resolve fills in what stands elsewhere (environment, files) and says all that is wrong at once.
func (c *config) resolve(lookup func(string) (string, bool)) error {
	check := &checker{lookup: lookup}
	check.secret("clickhouse.dsn", &c.ClickHouse.DSN)
	check.secret("embedded.password", &c.Embedded.Password)
	c.resolveTokens(check)
	if c.PublicURL != "" {
		c.PublicURL = strings.TrimFunc(c.PublicURL, invisible)
		u, err := url.Parse(c.PublicURL)
		check.Unless(!strings.ContainsFunc(c.PublicURL, invisible), "public_url", "must have no white space or invisible character")
		valid := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
		check.Unless(valid, "public_url", "must be a URL such as https://hooks.example.org")
		check.Unless(!valid || u.User == nil && !strings.ContainsAny(c.PublicURL, "?#"), "public_url",
			"must end with the host or a path: hook URLs are made by adding /hooks/… to it, so there can be no query, fragment or user")
	}
	c.TLS.check(check)
	check.Unless(c.BothelpAccount == "" || accountName.MatchString(c.BothelpAccount), "bothelp_account", "%q must be the NAME in https://NAME.bothelp.io", c.BothelpAccount)
	check.faults("ingest", c.Ingest.Validate())
	c.resolveSources(check)
	share := c.Traces.Sample
	check.Unless(share >= 0 && share <= 1, "traces.sample", "must lie between 0 and 1, is %v", share) // .nan is neither
	check.Err("drain", c.Drain.Validate())
	c.resolveEndpoints(check)
	shard := c.Replay.Shard
	check.Unless(shard == "" || shard == "1/1", "replay.shard", "%q: one process delivers, and a second one stands by; remove this key, and stop the other "+
		"processes; if one is too slow, raise the concurrency of the endpoints or use a larger ClickHouse", shard)
	return errors.Join(check.Faults...)
}

func (c *config) resolveTokens(check *checker) {
	secrets := map[string]bool{}
	for i := range c.API.Tokens {
		t, key := &c.API.Tokens[i], fmt.Sprintf("api.tokens[%d]", i)
		check.secret(key+".token", &t.Secret)
		t.Role = cmp.Or(t.Role, api.RoleAdmin)
		check.Unless(t.Name != "", key+".name", "must be there: a replay is made in its name")
		check.once(key, "token", t.Name)
		check.Unless(len(t.Secret) >= minTokenBytes, key+".token", "must have at least %d characters", minTokenBytes)
		check.Unless(!secrets[t.Secret], key+".token", "is another one's as well")
		check.Unless(slices.Contains(api.Roles, t.Role), key+".role", "%q is none of %s", t.Role, event.Words(api.Roles))
		secrets[t.Secret] = t.Secret != ""
	}
}

func (c *config) resolveSources(check *checker) {
	for i := range c.Sources {
		s, key := &c.Sources[i], fmt.Sprintf("sources[%d]", i)
		check.Unless(sourceName.MatchString(s.Name), key+".name", "%q must be lower-case letters, digits, - and _, at most 64, a letter or digit first", s.Name)
		check.once(key, "source", s.Name)
		check.secret(key+".token", &s.Token)
		check.secret(key+".old_token", &s.OldToken)
		check.secret(key+".signing_token", &s.SigningToken)
		check.secret(key+".old_signing_token", &s.OldSigning)
		if s.TokenFile != "" {
			check.Unless(s.Token == "", key+".token_file", "token and token_file exclude each other")
			s.Token = check.file(key+".token_file", s.TokenFile)
		}
		check.Unless(len(s.Token) >= minTokenBytes, key+".token", "must have at least %d characters; `hooktape sources add` makes a random one", minTokenBytes)
		check.Unless(s.OldToken == "" || len(s.OldToken) >= minTokenBytes, key+".old_token", "must have at least %d characters", minTokenBytes)
		check.Unless(!strings.ContainsAny(s.Token+s.OldToken, "/?#% "), key+".token", "must be fit for a URL: none of / ? # %% and no space")
		known := s.Kind == "" || s.Kind != event.KindUnknown && slices.Contains(event.Kinds, s.Kind)
		check.Unless(known, key+".kind", "%q is none of flow, conversation_closed, user_profile_viewed", s.Kind)
		check.Unless(s.MaxBody <= 16<<20, key+".max_body", "must lie between 1 and 16MiB")
	}
}

// checker collects what is wrong, and fills in what stands elsewhere.
type checker struct {
	setting.Faults
	lookup func(string) (string, bool)
	names  map[[2]string]bool // of things of a kind, met so far
}

// once adds a fault if a thing of a kind has another one's name.
func (c *checker) once(key, kind, name string) {
	if c.names == nil {
		c.names = map[[2]string]bool{}
	}
	c.Unless(name == "" || !c.names[[2]string{kind, name}], key+".name", "the %s %q is there twice", kind, name)
	c.names[[2]string{kind, name}] = true
}

// faults adds those of a section.
func (c *checker) faults(section string, err error) {
	for _, err := range unjoin(err) {
		if fault, ok := errors.AsType[*setting.Fault](err); ok {
			c.Unless(false, section+"."+fault.Key, "%s", fault.Text)
		}
	}
}

// secret takes a value written as ${NAME} from the environment.
func (c *checker) secret(key string, value *string) {
	if name, ok := strings.CutPrefix(*value, "${"); ok && strings.HasSuffix(name, "}") {
		name = strings.TrimSuffix(name, "}")
		set, ok := c.lookup(name)
		c.Unless(ok && set != "", key, "the environment variable %s is not set", name)
		*value = set
	}
}

// valueOrFile takes a secret from a file in place of the value.
func (c *checker) valueOrFile(key string, s *secretConfig) {
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

// file reads a secret.
func (c *checker) file(key, path string) string {
	texts, _, err := settled.Read(path)
	if err != nil {
		c.Err(key, err)
		return ""
	}
	return secretText(texts[0])
}

// secretText is the secret in a file's text: without the byte order mark and the line break that editors leave there.
func secretText(text []byte) string {
	return strings.TrimSpace(string(bytes.TrimPrefix(text, byteOrderMark)))
}

// invisible reports whether a character is one that copying brings along unseen.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}
