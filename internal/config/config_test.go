package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const (
	someToken  = "0123456789abcdef"
	someSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// exampleConfig returns the example with its placeholders filled in.
func exampleConfig(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../hooktape.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, secret := range map[string]string{"chat-token": someToken, "crm-key": someToken,
		"crm-old-signing-secret": someSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"HOOKTAPE_ADMIN_TOKEN", "HOOKTAPE_DEMO_TOKEN", "HOOKTAPE_PRICE_TOKEN",
		"HOOKTAPE_CHAT_SIGNING_TOKEN", "CRM_TOKEN"} {
		t.Setenv(name, someToken)
	}
	t.Setenv("CRM_SIGNING_SECRET", someSecret)
	return []byte(strings.ReplaceAll(string(text), "/run/secrets", dir))
}

// TestExampleHasEveryKey verifies that the example has every key that the program reads, and shows the defaults where
// it says so.
func TestExampleHasEveryKey(t *testing.T) {
	text := exampleConfig(t)
	var written map[string]any
	if err := yaml.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	collect(keys, "", written)
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if !keys[key] && key != "replay.shard" { // an error, whatever its value
			t.Errorf("hooktape.example.yaml lacks %s", key)
		}
	}
	got, err := Parse("example", text)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.PublicURL = got.PublicURL
	want.Sources = got.Sources
	want.API = got.API
	want.Endpoints = got.Endpoints
	if want.Ingest.TrustedProxies == nil {
		want.Ingest.TrustedProxies = got.Ingest.TrustedProxies
	}
	if len(got.TLS.Autocert) == 0 {
		want.TLS.Autocert = got.TLS.Autocert
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example's defaults differ from the program's:\n got %+v\nwant %+v", got, want)
	}
	if got.Sources[1].Token != someToken {
		t.Errorf("token_file was read as %q", got.Sources[1].Token)
	}
}

// TestSizes verifies every way to write a size.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1048576": 1 << 20, "512B": 512, "64KiB": 64 << 10, "8MiB": 8 << 20,
		"8 MiB": 8 << 20, "10GiB": 10 << 30, "2TiB": 2 << 40, "1.5GiB": 3 << 29, "0": 0, "10GB": 10e9} {
		c, err := Parse("f.yaml", []byte("spool: {min_free: "+text+"}\n"))
		if err != nil || c.Spool.MinFree != want {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}

func collect(keys map[string]bool, prefix string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			keys[prefix+name] = true
			collect(keys, prefix+name+".", inner)
		}
	case []any:
		for _, inner := range v {
			collect(keys, prefix, inner)
		}
	}
}

// allKeys returns the keys of a struct and, recursively, of its fields, with their paths.
func allKeys(typ reflect.Type, prefix string) (keys []string) {
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	names, types := keysOf(typ)
	for _, name := range names {
		keys = append(keys, prefix+name)
		keys = append(keys, allKeys(types[name], prefix+name+".")...)
	}
	return keys
}

func TestConfigErrorsNameLineAndKey(t *testing.T) {
	const source = "sources:\n  - name: demo\n    token: " + someToken + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", source + "ingest_adr: x\n", "f.yaml:4: ingest_adr: unknown key; known here are public_url, " +
			"bothelp_account, ingest_addr, api_addr, ops_addr, clickhouse, embedded, api, tls, sources, ingest, spool, drain, " +
			"endpoints, replay, traces, retention"},
		{"unknown key in a list in a map", source + "    forward: {to: crm, fallback: {headers: [{nam: X}]}}\n",
			"f.yaml:4: sources[0].forward.fallback.headers[0].nam: unknown key; known here are name, value"},
		{"unknown key of a limit", source + "ingest:\n  rejected_total: {brst: 1}\n",
			"f.yaml:5: ingest.rejected_total.brst: unknown key; known here are per_second, burst"},
		{"a key twice", source + "sources: []\n", `f.yaml:4: mapping key "sources" already defined at line 1`},
		{"wrong type", source + "drain:\n  rows: many\n", "f.yaml:5: drain.rows: want a number"},
		{"not YAML", "sources: [", "f.yaml:1: "},
		{"short token", "sources:\n  - name: demo\n    token: short\n",
			"f.yaml:3: sources[0].token: must have at least 16 characters"},
		{"no token", "sources:\n  - name: demo\n", "f.yaml:2: sources[0].token: must have at least 16 characters"},
		{"bad name", "sources:\n  - name: Demo!\n    token: " + someToken + "\n",
			`f.yaml:2: sources[0].name: "Demo!" must be`},
		{"twice", source + "  - name: demo\n    token: " + someToken + "\n",
			`f.yaml:4: sources[1].name: the source "demo" is there twice`},
		{"unset variable", "sources:\n  - name: demo\n    token: ${HOOKTAPE_TEST_UNSET}\n",
			"f.yaml:3: sources[0].token: the environment variable HOOKTAPE_TEST_UNSET is not set"},
		{"missing file", "sources:\n  - name: demo\n    token_file: /nowhere/x\n",
			"f.yaml:3: sources[0].token_file: open /nowhere/x"},
		{"kind", source + "    kind: flows\n", `f.yaml:4: sources[0].kind: "flows" is none of`},
		{"size", source + "spool:\n  max_bytes: lots\n",
			`f.yaml:5: spool.max_bytes: "lots" is no size such as 512KiB, 8MiB or 10GiB`},
		{"size of a source", source + "    max_body: 10gigs\n", `f.yaml:4: sources[0].max_body: "10gigs" is no size`},
		{"duration", source + "drain: {age: fast}\n",
			`f.yaml:4: drain.age: "fast" is no duration such as 500ms, 10s or 72h`},
		{"timeout", source + "ingest:\n  read_timeout: 10\n", `f.yaml:5: ingest.read_timeout: "10" is no duration`},
		{"duration of an endpoint", "endpoints:\n  - name: crm\n    retry: {schedule: [1s, soon]}\n",
			`f.yaml:3: endpoints[0].retry.schedule[1]: "soon" is no duration`},
		{"size over 8 EiB", source + "spool:\n  max_bytes: 20EiB\n", `f.yaml:5: spool.max_bytes: "20EiB" is no size`},
		{"negative size", source + "spool:\n  min_free: -1MiB\n", `f.yaml:5: spool.min_free: "-1MiB" is no size`},
		{"same text at another key", "public_url: 5x\n" + source + "    max_body: 5x\n",
			`f.yaml:5: sources[0].max_body: "5x" is no size`},
		{"connections", source + "ingest:\n  max_connections: 0\n",
			"f.yaml:5: ingest.max_connections: must be at least 1"},
		{"memory", source + "ingest:\n  max_memory: 1000KiB\n", "f.yaml:5: ingest.max_memory: must be at least 1MiB"},
		{"burst", source + "ingest:\n  rejected_total: {burst: -1}\n",
			"f.yaml:5: ingest.rejected_total: must not be negative"},
		{"no time to read", source + "ingest:\n  idle_timeout: 0s\n",
			"f.yaml:5: ingest.idle_timeout: must be more than 0"},
		{"unknown key of the ingest", source + "ingest:\n  max_conections: 1\n",
			"f.yaml:5: ingest.max_conections: unknown key; known here are "},
		{"days", "retention: {events: soon}\n", `f.yaml:1: retention.events: "soon" is no number of days`},
		{"unknown key of a source", source + "    tokn: x\n",
			"f.yaml:4: sources[0].tokn: unknown key; known here are name, token, token_file, old_token, kind, " +
				"signing_token, old_signing_token, max_body, forward, retention"},
		{"unknown key of the drain", source + "drain:\n  swimming: x\n",
			"f.yaml:5: drain.swimming: unknown key; known here are rows, bytes, age"},
		{"a list for a text", "ingest_addr: [a]\n", "f.yaml:1: ingest_addr: want a text"},
		{"public URL with a query", "public_url: https://hooks.example.org/?a=b\n",
			"f.yaml:1: public_url: must end with the host or a path"},
		{"public URL with a fragment", "public_url: https://hooks.example.org/#\n",
			"f.yaml:1: public_url: must end with the host or a path"},
		{"public URL with a space", "public_url: https://hooks.example.org/a b\n",
			"f.yaml:1: public_url: must have no white space"},
		{"proxy", source + "ingest:\n  trusted_proxies: [10.0.0.1]\n",
			`f.yaml:5: ingest.trusted_proxies[0]: "10.0.0.1" is no network`},
		{"public URL", source + "public_url: hooks.example.org\n", "f.yaml:4: public_url: must be a URL"},
		{"share below", source + "traces:\n  sample: -0.1\n",
			"f.yaml:5: traces.sample: must lie between 0 and 1, is -0.1"},
		{"share above", source + "traces:\n  sample: 10\n", "f.yaml:5: traces.sample: must lie between 0 and 1, is 10"},
		{"share that is no number", source + "traces: {sample: .nan}\n",
			"f.yaml:4: traces.sample: must lie between 0 and 1, is NaN"},
		{"token without a name", source + "api:\n  tokens:\n    - token: " + someToken + "\n",
			"f.yaml:6: api.tokens[0].name: must be there"},
		{"short API token", source + "api:\n  tokens:\n    - {name: a, token: short}\n",
			"f.yaml:6: api.tokens[0].token: must have at least 16 characters"},
		{"role", source + "api:\n  tokens:\n    - {name: a, token: " + someToken + ", role: boss}\n",
			`f.yaml:6: api.tokens[0].role: "boss" is none of read, replay, admin`},
		{"tokens of one name", source + "api:\n  tokens:\n    - {name: a, token: " + someToken +
			"}\n    - {name: a, token: " + someToken + "x}\n",
			`f.yaml:7: api.tokens[1].name: the token "a" is there twice`},
		{"tokens of one secret", source + "api:\n  tokens:\n    - {name: a, token: " + someToken +
			"}\n    - {name: b, token: " + someToken + "}\n",
			"f.yaml:7: api.tokens[1].token: is another one's as well"},
		{"drain", source + "drain:\n  rows: 0\n", "drain: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), someToken) {
				t.Errorf("the message shows a token: %v", err)
			}
		})
	}
}

// TestByteOrderMark verifies that a byte order mark, which Windows editors write, becomes part of neither a key nor a
// secret.
func TestByteOrderMark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("\uFEFF"+someToken+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("f.yaml", []byte("\uFEFFsources:\r\n  - {name: demo, token_file: "+file+"}\r\n"))
	if err != nil || len(c.Sources) != 1 || c.Sources[0].Token != someToken {
		t.Errorf("file with a byte order mark: %+v, %v", c, err)
	}
	if token, err := Secret("--api-token-file", file, "HOOKTAPE_TEST_UNSET"); err != nil || token != someToken {
		t.Errorf("%q, %v", token, err)
	}
	if _, err := Parse("f.yaml", []byte("\uFEFF\n# nothing\n")); err != nil {
		t.Error(err)
	}
}

func TestAddSourceKeepsTheRest(t *testing.T) {
	s := Source{Name: "new", Token: someToken}
	for _, c := range []struct{ name, before, after string }{
		{"behind the last", "# top\nsources: # mine\n  - name: a # first\n    token: 1\n\n# then\napi:\n  tokens: []\n",
			"# top\nsources: # mine\n  - name: a # first\n    token: 1\n  - name: new\n    token: " + someToken +
				"\n\n# then\napi:\n  tokens: []\n"},
		{"not indented", "sources:\n- name: a\n  token: 1",
			"sources:\n- name: a\n  token: 1\n- name: new\n  token: " + someToken + "\n"},
		{"a map last", "sources:\n  - name: a\n    retention:\n      bodies: 1d\nspool: {}\n",
			"sources:\n  - name: a\n    retention:\n      bodies: 1d\n  - name: new\n    token: " + someToken +
				"\nspool: {}\n"},
		{"no list yet", "api_addr: x\n", "api_addr: x\n\nsources:\n  - name: new\n    token: " + someToken + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := withSource([]byte(c.before), s)
			if err != nil || string(got) != c.after {
				t.Errorf("%v\n--- got\n%s\n--- want\n%s", err, got, c.after)
			}
		})
	}
	if _, err := withSource([]byte("sources: []\n"), s); err == nil {
		t.Error("a list in brackets was changed")
	}
}

// TestConfigThatSaysNothing verifies that a file without settings results in the defaults and is recognized as empty.
func TestConfigThatSaysNothing(t *testing.T) {
	want := Default()
	want.empty = true
	for _, text := range []string{"", "\n  \n", "# nothing\n\n  # yet"} {
		if got, err := Parse("c", []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestAutocertDomains verifies that domains may be written with any case and script, and are compared in the form that
// clients send in a handshake.
func TestAutocertDomains(t *testing.T) {
	tls, check := TLS{Autocert: []string{"Hooks.Example.org.", "бот.example"}}, &checker{}
	if tls.resolve(check); len(check.Faults) > 0 ||
		!slices.Equal(tls.Autocert, []string{"hooks.example.org", "xn--90a0am.example"}) {
		t.Errorf("%q, %v", tls.Autocert, check.Faults)
	}
	for _, domain := range []string{"localhost", "192.0.2.1", "*.example.org", "https://example.org", "a b.example.org",
		".example.org"} {
		check := &checker{}
		if (TLS{Autocert: []string{domain}}).resolve(check); len(check.Faults) != 1 {
			t.Errorf("%q is accepted: %v", domain, check.Faults)
		}
	}
}

// TestYAMLHasEveryKey verifies that a printed configuration has every key.
func TestYAMLHasEveryKey(t *testing.T) {
	c, err := Parse("f.yaml", []byte("api: {tokens: [{name: a, token: "+someToken+"}]}\n"+twoSources+"  - {name: c, token: "+someToken+`, forward: {to: crm, fallback: {headers: [{name: X-Key, value: x}]}}}
endpoints:
  - name: crm
    url: https://crm.example.org/
    subscribe: {}
    headers: [{name: X-Key, value: x}]
    sign: {secrets: [{value: `+someSecret+`}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := yaml.Unmarshal(text, &written); err != nil {
		t.Fatalf("the printed configuration is invalid: %v\n%s", err, text)
	}
	keys := map[string]bool{}
	collect(keys, "", written)
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if !keys[key] {
			t.Errorf("%s is missing", key)
		}
	}
}
