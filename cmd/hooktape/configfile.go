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

	"github.com/goccy/go-yaml"

	"hooktape/event"
	"hooktape/internal/setting"
	"hooktape/internal/settled"
	"hooktape/replay/api"
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
	wrong, secret := check.wrong, check.secret
	secret("clickhouse.dsn", &c.ClickHouse.DSN)
	secret("embedded.password", &c.Embedded.Password)
	named, secrets := map[string]bool{}, map[string]bool{}
	for i := range c.API.Tokens {
		t, key := &c.API.Tokens[i], fmt.Sprintf("api.tokens[%d]", i)
		secret(key+".token", &t.Secret)
		t.Role = cmp.Or(t.Role, api.RoleAdmin)
		switch {
		case t.Name == "":
			wrong(key+".name", "must be there: a replay is made in its name")
		case named[t.Name]:
			wrong(key+".name", "the token %q is there twice", t.Name)
		}
		switch {
		case len(t.Secret) < minTokenBytes:
			wrong(key+".token", "must have at least %d characters", minTokenBytes)
		case secrets[t.Secret]:
			wrong(key+".token", "is another one's as well")
		}
		if !slices.Contains(api.Roles, t.Role) {
			wrong(key+".role", "%q is none of %s", t.Role, api.Words(api.Roles))
		}
		named[t.Name], secrets[t.Secret] = true, true
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
			wrong("public_url", "must be a URL such as https://hooks.example.org")
		case strings.ContainsAny(c.PublicURL, "?#") || u.User != nil:
			wrong("public_url", "must end with the host or a path: hook URLs are made by adding /hooks/… to it, so there can be no query, fragment or user")
		}
	}
	c.TLS.check(check)
	if c.BothelpAccount != "" && !accountName.MatchString(c.BothelpAccount) {
		wrong("bothelp_account", "%q must be the NAME in https://NAME.bothelp.io", c.BothelpAccount)
	}
	check.faults("ingest", c.Ingest.Validate())
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
			if s.Token != "" {
				wrong(key+".token_file", "token and token_file exclude each other")
			}
			s.Token = check.file(key+".token_file", s.TokenFile)
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
	if share := c.Traces.Sample; !(share >= 0 && share <= 1) { // .nan is neither
		wrong("traces.sample", "must lie between 0 and 1, is %v", share)
	}
	if err := c.Drain.Validate(); err != nil {
		wrong("drain", "%v", err)
	}
	c.resolveEndpoints(check)
	if _, _, err := c.shard(); err != nil {
		wrong("replay.shard", "%v", err)
	}
	return errors.Join(check.list...)
}

// checker collects what is wrong, and fills in what stands elsewhere.
type checker struct {
	lookup func(string) (string, bool)
	list   setting.Faults
}

func (c *checker) wrong(key, format string, args ...any) { c.list.Unless(false, key, format, args...) }

// faults adds those of a section.
func (c *checker) faults(section string, err error) {
	for _, err := range unjoin(err) {
		if fault, ok := errors.AsType[*setting.Fault](err); ok {
			c.wrong(section+"."+fault.Key, "%s", fault.Text)
		}
	}
}

// secret takes a value written as ${NAME} from the environment.
func (c *checker) secret(key string, value *string) {
	if name, ok := strings.CutPrefix(*value, "${"); ok && strings.HasSuffix(name, "}") {
		name = strings.TrimSuffix(name, "}")
		set, ok := c.lookup(name)
		if !ok || set == "" {
			c.wrong(key, "the environment variable %s is not set", name)
		}
		*value = set
	}
}

// valueOrFile takes a secret from a file in place of the value.
func (c *checker) valueOrFile(key string, s *secretConfig) {
	switch {
	case s.ValueFile == "" && s.Value == "":
		c.wrong(key, "needs value or value_file")
	case s.ValueFile == "":
		c.secret(key+".value", &s.Value)
	case s.Value != "":
		c.wrong(key+".value_file", "value and value_file exclude each other")
	default:
		s.Value = c.file(key+".value_file", s.ValueFile)
	}
}

// file reads a secret.
func (c *checker) file(key, path string) string {
	texts, _, err := settled.Read(path)
	if err != nil {
		c.wrong(key, "%v", err)
		return ""
	}
	return secretText(texts[0])
}

// secretText is the secret in a file's text: without the byte order mark and the line break that editors leave there.
func secretText(text []byte) string {
	return strings.TrimSpace(string(bytes.TrimPrefix(text, byteOrderMark)))
}
