package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/replay"
)

// TestExampleEndpoints verifies that the example's endpoints are read with the values that its comments explain.
func TestExampleEndpoints(t *testing.T) {
	c, err := Parse("example", exampleConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	crm := replay.DefaultEndpoint("crm", "https://crm.example.org/hooks")
	crm.Subscribe = &replay.Subscription{Sources: []string{"demo"}, Steps: []string{"paid"},
		Kinds: []event.Kind{event.KindFlow}}
	crm.Headers = []event.Header{{Name: "Authorization", Value: someToken}, {Name: "X-Key", Value: someToken}}
	crm.DropHeaders, crm.KeepHeaders = []string{"Accept-Language"}, []string{"X-Request-Id"}
	crm.Sign.Secrets = []string{someSecret, someSecret}
	archive := replay.DefaultEndpoint("archive", "http://127.0.0.1:9000/archive")
	archive.Subscribe, archive.AllowPrivate = &replay.Subscription{}, true
	archive.Retry.Schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		5 * time.Minute}
	archive.Retry.MaxAttempts = 50
	for i, want := range []replay.Endpoint{crm, archive} {
		if got := c.DeliveryEndpoints()[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

const twoSources = "sources:\n  - {name: a, token: " + someToken + "}\n  - {name: b, token: " + someToken + "}\n"

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEndpointDefaults verifies that missing keys get their defaults, and that an explicit zero stays zero.
func TestEndpointDefaults(t *testing.T) {
	c := parsed(t,
		"endpoints:\n  - {name: x, url: 'http://h/'}\n  - {name: y, url: 'http://h/', breaker: {failures: 0}, retry: "+
			"{max_attempts: 3}, retry_on: []}\n")
	list := c.DeliveryEndpoints()
	if want := replay.DefaultEndpoint("x", "http://h/"); !reflect.DeepEqual(list[0], want) {
		t.Errorf("got  %+v\nwant %+v", list[0], want)
	}
	want := replay.DefaultEndpoint("y", "http://h/")
	want.Breaker.Failures, want.Retry.MaxAttempts, want.Retry.On = 0, 3, []string{}
	if !reflect.DeepEqual(list[1], want) {
		t.Errorf("got  %+v\nwant %+v", list[1], want)
	}
	if got := Default().DeliveryEndpoints(); len(got) != 0 {
		t.Errorf("the default has endpoints: %+v", got)
	}
}

// TestEndpointURLIsCleaned verifies that the URL is normalized once, so that sending, pages and doctor use the same
// one.
func TestEndpointURLIsCleaned(t *testing.T) {
	c := parsed(t, "endpoints:\n  - name: x\n    url: \" HTTP://Испытание.РФ:8080/Путь?A=B\\u00a0\\u200b\"\n")
	if got, want := c.DeliveryEndpoints()[0].URL, "http://xn--80akhbyknj4f.xn--p1ai:8080/Путь?A=B"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSubscribe verifies that no subscription gets nothing, and an empty one gets everything.
func TestSubscribe(t *testing.T) {
	for text, want := range map[string]*replay.Subscription{
		"":                             nil,
		"subscribe: {}":                {},
		"subscribe: {steps: [paid]}":   {Steps: []string{"paid"}},
		"subscribe: {sources: [b, a]}": {Sources: []string{"b", "a"}},
	} {
		c := parsed(t, twoSources+"endpoints:\n  - name: x\n    url: http://h/\n    "+text+"\n")
		if got := c.DeliveryEndpoints()[0].Subscribe; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestEndpointErrorsNameLineAndKey(t *testing.T) {
	const secret = "S3cret"
	t.Setenv("CRM_URL_TEST", "ftp://h/?t="+secret)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte(secret+"\nX: "+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	const head = twoSources + "endpoints:\n  - name: crm\n    url: https://crm.example.org/hooks\n" // 6 lines
	const forward = "endpoints:\n  - {name: crm, url: 'https://crm.example.org/'}\nsources:\n  - {name: a, token: " +
		someToken + ",\n     forward: {"
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", head + "    tiemout: 1s\n",
			"f.yaml:7: endpoints[0].tiemout: unknown key; known here are "},
		{"unknown inner key", head + "    retry:\n      sched: [1s]\n",
			"f.yaml:8: endpoints[0].retry.sched: unknown key; known here are schedule, max_attempts, max_age"},
		{"wrong type", head + "    concurrency: many\n", "f.yaml:7: endpoints[0].concurrency: want a number"},
		{"wrong duration", head + "    timeout: soon\n",
			`f.yaml:7: endpoints[0].timeout: "soon" is no duration such as`},
		{"number for a duration", head + "    timeout: 10\n",
			`f.yaml:7: endpoints[0].timeout: "10" is no duration such as`},
		{"list for a duration", head + "    timeout: [1s]\n", "is no duration such as"},
		{"wrong step", head + "    retry: {schedule: [1s, later]}\n",
			`f.yaml:7: endpoints[0].retry.schedule[1]: "later" is no duration such as`},
		{"no name", twoSources + "endpoints:\n  - url: http://h/\n",
			`f.yaml:5: endpoints[0].name: "" must be lower-case`},
		{"a URL as name", twoSources + "endpoints:\n  - name: http://h/\n    url: http://h/\n",
			`f.yaml:5: endpoints[0].name: "http://h/" must be lower-case`},
		{"twice", head + "  - name: crm\n    url: http://h/\n",
			`f.yaml:7: endpoints[1].name: the endpoint "crm" is there twice`},
		{"no URL", twoSources + "endpoints:\n  - name: crm\n",
			"f.yaml:5: endpoints[0].url: must begin with http:// or https://"},
		{"password", twoSources + "endpoints:\n  - name: crm\n    url: http://u:" + secret + "@h/\n",
			"f.yaml:6: endpoints[0].url: must have no user and password"},
		{"URL by environment", twoSources + "endpoints:\n  - name: crm\n    url: ${CRM_URL_TEST}\n",
			"f.yaml:6: endpoints[0].url: must begin with"},
		{"space in the URL", twoSources + "endpoints:\n  - name: crm\n    url: \"https://crm.example.org/" + secret +
			"\\u200bx\"\n",
			"f.yaml:6: endpoints[0].url: must have no white space or invisible character; write a space as %20"},
		{"no host name", twoSources + "endpoints:\n  - name: crm\n    url: https://я" + secret + "-.рф/\n",
			"f.yaml:6: endpoints[0].url: must have a host that is a valid internationalized domain name"},
		{"loopback", twoSources + "endpoints:\n  - name: crm\n    url: http://127.0.0.1:9000/" + secret + "\n",
			"f.yaml:6: endpoints[0].url: 127.0.0.1 is not on the public internet; allow_private of the endpoint crm " +
				"in the configuration allows it"},
		{"loopback, IPv6", twoSources + "endpoints:\n  - name: crm\n    url: 'http://[::1]:9000/'\n",
			"f.yaml:6: endpoints[0].url: ::1 is not on the public internet"},
		{"loopback in wide digits", twoSources + "endpoints:\n  - name: crm\n    url: http://１２７.0.0.1/\n",
			"f.yaml:6: endpoints[0].url: 127.0.0.1 is not on the public internet"},
		{"private", twoSources + "endpoints:\n  - name: crm\n    url: http://192.168.1.5/\n",
			"f.yaml:6: endpoints[0].url: 192.168.1.5 is not on the public internet"},
		{"unset URL", twoSources + "endpoints:\n  - name: crm\n    url: ${HOOKTAPE_TEST_UNSET}\n",
			"f.yaml:6: endpoints[0].url: the environment variable HOOKTAPE_TEST_UNSET is not set"},
		{"unknown source", head + "    subscribe:\n      sources: [a, c]\n",
			`f.yaml:8: endpoints[0].subscribe.sources[1]: there is no source "c"; there are a, b`},
		{"no source at all", "endpoints:\n  - {name: crm, url: 'http://h/', subscribe: {sources: [c]}}\n",
			`f.yaml:2: endpoints[0].subscribe.sources[0]: there is no source "c"; there are none`},
		{"labels of a source", "sources:\n  - {name: a, token: " + someToken + ", labels: {team: sales}}\n",
			"f.yaml:2: sources[0].labels: is no longer a key: remove it"},
		{"labels", head + "    subscribe:\n      labels: {team: sales}\n",
			"f.yaml:8: endpoints[0].subscribe.labels: is no longer a key: list the sources"},
		{"kind", head + "    subscribe: {kinds: [flows]}\n",
			`f.yaml:7: endpoints[0].subscribe.kinds[0]: invalid kind "flows"`},
		{"header", head + "    headers:\n      - {name: Host, value: " + secret + "}\n",
			"f.yaml:8: endpoints[0].headers[0]: Host is written by"},
		{"header without value", head + "    headers:\n      - name: X-Key\n",
			"f.yaml:8: endpoints[0].headers[0]: needs value or value_file"},
		{"header with both", head + "    headers:\n      - {name: X-Key, value: " + secret + ", value_file: /x}\n",
			"f.yaml:8: endpoints[0].headers[0].value_file: value and value_file exclude"},
		{"header from a missing file", head + "    headers:\n      - {name: X-Key, value_file: /nowhere/x}\n",
			"f.yaml:8: endpoints[0].headers[0].value_file: open /nowhere/x"},
		{"header of two lines", head + "    headers:\n      - {name: X-Key, value_file: " + empty + "}\n",
			"f.yaml:8: endpoints[0].headers[0]: the value of X-Key has characters"},
		{"unset header", head + "    headers:\n      - {name: X-Key, value: '${HOOKTAPE_TEST_UNSET}'}\n",
			"f.yaml:8: endpoints[0].headers[0].value: the environment variable HOOKTAPE_TEST_UNSET"},
		{"timeout", head + "    timeout: 0s\n", "f.yaml:7: endpoints[0].timeout: must be more than 0"},
		{"rate", head + "    rate: -1\n", "f.yaml:7: endpoints[0].rate: must be a number"},
		{"concurrency", head + "    concurrency: 0\n", "f.yaml:7: endpoints[0].concurrency: must be between"},
		{"order", head + "    order: strict\n",
			`f.yaml:7: endpoints[0].order: invalid order "strict": want none or subscriber`},
		{"exponential retry", head + "    retry:\n      initial: 1s\n      cap: 1m\n      multiplier: 2\n",
			"f.yaml:8: endpoints[0].retry.initial: is no longer a key: list the waits"},
		{"step", head + "    retry: {schedule: [1s, 0s]}\n",
			"f.yaml:7: endpoints[0].retry.schedule[1]: must be more than 0"},
		{"no step", head + "    retry: {schedule: []}\n", "f.yaml:7: endpoints[0].retry.schedule: must have a step"},
		{"retry on", head + "    retry_on: [no_answer, 200]\n", `f.yaml:7: endpoints[0].retry_on[1]: "200" must be`},
		{"breaker", head + "    breaker: {probe_after: 1h}\n",
			"f.yaml:7: endpoints[0].breaker.probe_max: must not be less"},
		{"signing secret", head + "    sign:\n      secrets:\n        - value: " + secret + "\n",
			"f.yaml:9: endpoints[0].sign.secrets[0]: must be whsec_"},
		{"certificate", head + "    tls:\n      ca_file: /nowhere/ca.pem\n",
			"f.yaml:8: endpoints[0].tls.ca_file: open /nowhere/ca.pem"},
		{"key without certificate", head + "    tls:\n      key_file: /nowhere/key.pem\n",
			"endpoints[0].tls.cert_file: is missing, but key_file is set"},
		{"forward to nowhere", forward + "to: crn}}\n",
			`f.yaml:5: sources[0].forward.to: there is no endpoint "crn"; there are crm`},
		{"forward without endpoint", forward + "deadline: 1s}}\n",
			"f.yaml:5: sources[0].forward.to: must be the name of an endpoint"},
		{"forward's deadline", forward + "to: crm, deadline: 3m}}\n",
			"f.yaml:5: sources[0].forward.deadline: must be more than 0 and at most 2m"},
		{"forward's append", forward + "to: crm, append: [path, fragment]}}\n",
			`f.yaml:5: sources[0].forward.append[1]: "fragment" is neither path nor query`},
		{"forward's expect", forward + "to: crm, expect: ['a[x]']}}\n",
			`f.yaml:5: sources[0].forward.expect[0]: "a[x]" is no path of keys`},
		{"forward's in flight", forward + "to: crm, max_in_flight: 0}}\n",
			"f.yaml:5: sources[0].forward.max_in_flight: must lie between 1 and"},
		{"forward's answer", forward + "to: crm, max_answer: 1KiB}}\n",
			"f.yaml:5: sources[0].forward.max_answer: must lie between 16KiB"},
		{"fallback's status", forward + "to: crm, fallback: {status: 100}}}\n",
			"f.yaml:5: sources[0].forward.fallback.status: must lie between"},
		{"fallback's header", forward + "to: crm, fallback: {headers: [{name: Content-Length, value: '1'}]}}}\n",
			"f.yaml:5: sources[0].forward.fallback.headers[0]: Content-Length is written by"},
		{"fallback's misspelt key", forward + "to: crm, fallback: {bdy: x}}}\n",
			"f.yaml:5: sources[0].forward.fallback.bdy: unknown key; known here are status, headers, body"},
		{"shard", head + "replay:\n  shard: 2/4\n", `f.yaml:8: replay.shard: "2/4": one process delivers`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), someToken)) {
				t.Errorf("the message shows a secret: %v", err)
			}
		})
	}
	_, err := Parse("f.yaml", []byte(head+"    timeout: 0s\n    rate: -1\n    order: x\n"))
	if err == nil || strings.Count(err.Error(), "f.yaml:") != 3 {
		t.Errorf("not all errors are reported together: %v", err)
	}
}

// TestShard verifies that a configuration that divides delivery among processes is refused, and that 1/1 is accepted.
func TestShard(t *testing.T) {
	parsed(t, "replay: {shard: 1/1}")
}

// TestFirstConfigIsValid verifies the configuration that the first start writes, also with its commented parts enabled.
func TestFirstConfigIsValid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hooktape.yaml")
	if _, err := EnsureFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := parsed(t, string(text)); len(c.Endpoints) != 0 || !c.Replay.AllowPrivate {
		t.Errorf("first configuration: %+v", c)
	}
	live := strings.NewReplacer("# endpoints:", "endpoints:", "#   - name", "  - name", "#     ",
		"    ").Replace(string(text))
	if list := parsed(t, live).DeliveryEndpoints(); len(list) != 1 || list[0].Subscribe == nil ||
		list[0].Name != "crm" {
		t.Errorf("first configuration with its comments enabled: %+v", list)
	}
}
