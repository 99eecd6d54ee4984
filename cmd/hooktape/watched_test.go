package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/testutil/enginetest"
	"hooktape/web/api"
)

// The secrets and the person of these tests. No log line, span or metric may contain one.
const (
	hookToken     = "hook-token-Zk3vQ9"
	chatToken     = "chat-token-Pw8sL2xx"
	signingToken  = "signing-token-Tb6mR1"
	adminToken    = "admin-token-Hy4nC7xx"
	enginePass    = "engine-password-Xd5jF0"
	headerSecret  = "header-secret-Vg2kS8"
	querySecret   = "query-secret-Ju7wB3"
	replaySecret  = "replay-secret-Oa9tE6"
	signingSecret = "c2lnbmluZy1zZWNyZXQtTWM1cUQ0LWhvb2t0YXBl" // base64 of such a text
	wrongSecret   = "wrong-secret-Ie1yN5xx"
	personName    = "Akakij Bashmachkin"
	personPhone   = "79995550142"
	personMail    = "bashmachkin@departament.example"
	personField   = "new overcoat"
)

var secrets = []string{hookToken, chatToken, signingToken, adminToken, enginePass, headerSecret, querySecret,
	replaySecret, signingSecret, wrongSecret, personName, "Bashmachkin", personPhone, personMail, personField}

const watchedConfig = `
embedded: {password: %[1]s}
api: {tokens: [{name: admin, token: %[2]s}]}
sources:
  - {name: demo, token: %[3]s}
  - {name: chat, token: %[4]s, signing_token: %[5]s}
  - {name: price, token: %[3]s, forward: {to: crm, append: [path, query], expect: [price]}}
  - {name: mimic, token: %[3]s, forward: {to: parrot, append: [path, query]}}
replay: {allow_private: true}
endpoints:
  - name: crm
    url: %[6]s/crm?key=%[7]s
    subscribe: {sources: [demo, chat]}
    allow_private: true
    headers: [{name: Authorization, value: Bearer %[8]s}]
    sign: {secrets: [{value: whsec_%[9]s}]}
  - name: parrot
    url: %[10]s/parrot?key=%[7]s
    subscribe: {sources: [demo, chat]}
    allow_private: true
    retry: {schedule: [1ms], max_attempts: 2}
    breaker: {failures: 3, probe_after: 1h, probe_max: 1h}
`

// watched is a complete hooktape with a collector and a scraper, and traffic of all kinds.
type watched struct {
	*instance
	hook      string // hook URL before the token
	ops       string
	collector *otlpSink
	receiver  *receiver
	parrot    string
}

func newWatched(t *testing.T) *watched {
	w := &watched{instance: newInstance(t, ""), collector: newOTLPSink(t), receiver: newReceiver(t),
		parrot: newParrot(t), ops: freeAddr(t)}
	w.hook = "http://" + w.ingest + "/hooks/demo/"
	w.dsn = strings.Replace(w.dsn, enginetest.Password, enginePass, 1)
	w.configure("")
	w.env = append(w.env, "HOOKTAPE_EMBEDDED_PASSWORD=", "HOOKTAPE_OPS_ADDR="+w.ops,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+w.collector.URL, "OTEL_METRIC_EXPORT_INTERVAL=200",
		"OTEL_BLRP_SCHEDULE_DELAY=200", "GOMEMLIMIT=4GiB", "HOOKTAPE_API_URL=http://"+w.api,
		"HOOKTAPE_API_TOKEN="+adminToken)
	w.start("serve")
	w.becomes("SELECT uniqExact(endpoint) FROM endpoint_states", "2") // later events are delivered
	return w
}

func (w *watched) configure(more string) {
	w.t.Helper()
	text := fmt.Sprintf(watchedConfig, enginePass, adminToken, hookToken, chatToken, signingToken, w.receiver.URL,
		querySecret, headerSecret, signingSecret, w.parrot)
	if err := os.WriteFile(filepath.Join(w.dir, "hooktape.yaml"), []byte(text+more), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// becomes waits until a query returns the wanted result.
func (w *watched) becomes(sql, want string) {
	w.t.Helper()
	w.eventually(sql, func() error {
		got, err := w.ask(sql)
		if got = strings.TrimSpace(got); err == nil && got != want {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
		return err
	})
}

// person returns a webhook about person n.
func person(n int) string {
	return fmt.Sprintf(`{"bothelp_user_id":%d,"name":%q,"phone":"+%s","email":%q,"custom_fields":{"wish":%q}}`, n,
		personName, personPhone, personMail, personField)
}

// send sends a request with a person's data in every place where a sender may put it.
func (w *watched) send(method, url, body string, headers ...string) int {
	w.t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range map[string]string{"Cookie": "session=" + personMail,
		"Authorization": "Bearer " + wrongSecret, "X-Phone": personPhone,
		"Referer": "https://shop.example/?token=" + hookToken + "&phone=" + personPhone,
		"Baggage": "phone=" + personPhone} {
		request.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

const strangersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// hostile sends the requests of an attacker. name makes the requests of each call different.
func (w *watched) hostile(name string) {
	w.t.Helper()
	root := "http://" + w.ingest
	for _, c := range []struct {
		method, url string
		want        int
		headers     []string
	}{
		{"POST", root + "/hooks/" + name + "/" + hookToken, 404, nil},
		{"POST", root + "/hooks/" + hookToken + "/demo", 404, nil},
		{"POST", root + "/hooks/demo/" + wrongSecret + "/" + name, 404, nil},
		{"FROB" + strings.ToUpper(name), w.hook + hookToken, 405, []string{"X-Http-Method-Override", name}},
		{"POST", root + "/hooks/chat/" + chatToken, 401, []string{"X-Wh-Sign", signingToken}},
		{"POST", w.hook + hookToken + "/" + name + "?phone=" + personPhone + "&token=" + hookToken, 200,
			[]string{"Traceparent", "00-" + strangersTrace + "-00f067aa0ba902b7-01", "User-Agent",
				name + "/" + hookToken}},
		{"GET", root + "/" + name + "?phone=" + personPhone, 404, nil},
		{"GET", "http://" + w.api + "/api/v1/" + name + "?phone=" + personPhone, 404, nil},
		{"GET", "http://" + w.api + "/api/v1/events?text=" + personPhone, 401, nil},
		{"POST", "http://" + w.api + "/api/v1/replays", 400,
			[]string{"Authorization", "Bearer " + adminToken, "Content-Type", "application/json"}},
	} {
		if got := w.send(c.method, c.url, "not JSON: "+person(1), c.headers...); got != c.want {
			w.t.Errorf("%s %s: got status %d, want %d", c.method, c.url, got, c.want)
		}
	}
}

// traffic causes everything that telemetry reports: deliveries, refusals of an endpoint that repeats the person's data,
// inserts that ClickHouse refuses, replays, an invalid configuration, and requests of attackers.
func (w *watched) traffic() {
	w.t.Helper()
	for n := range 5 {
		w.send("POST", w.hook+hookToken+"/start?phone="+personPhone, person(n))
	}
	for _, forwarded := range []string{"price/" + hookToken + "/start", "price/" + hookToken + "/..",
		"mimic/" + hookToken + "/start"} {
		if status := w.send("PUT", "http://"+w.ingest+"/hooks/"+forwarded+"?phone="+personPhone+"&token="+hookToken,
			person(1)); status >= 300 && !strings.HasPrefix(forwarded, "mimic") {
			w.t.Errorf("%s: got status %d", forwarded, status)
		}
	}
	w.hostile("stranger")
	w.becomes("SELECT uniqExact(event_id) FROM deliveries FINAL WHERE endpoint = 'crm' AND state = 'delivered'", "6")
	if _, err := w.ask("ALTER TABLE events ADD CONSTRAINT picky CHECK name != '" + personName + "'"); err != nil {
		w.t.Fatal(err)
	}
	w.send("POST", w.hook+hookToken+"/start", person(6))
	w.becomes("SELECT count() FROM quarantine", "1")
	if _, err := w.ask("ALTER TABLE events DROP CONSTRAINT picky"); err != nil {
		w.t.Fatal(err)
	}
	w.cli("replay", "create", "--source", "demo", "--step", "start", "--mode", "all", "--yes", "--to",
		w.receiver.URL+"/other?key="+replaySecret, "--header", "X-Key: "+headerSecret)
	w.cli("replay", "create", "--source", "demo", "--where", "phone = '+"+personPhone+"'", "--mode", "all", "--yes",
		"--to", "parrot", "--detach")
	w.assertForwards()
	w.configure("nonsense: " + wrongSecret + "\n")
	w.eventually("the invalid configuration is refused", func() error {
		if !strings.Contains(w.output.String(), "the changed configuration is refused") {
			return fmt.Errorf("the log does not mention it")
		}
		return nil
	})
	w.eventually("the metrics count all of it", func() error {
		page := w.scrape()
		for _, sample := range []string{`hooktape_endpoint_state\{hooktape_endpoint="parrot",hooktape_state="failing",.*\} 1`,
			`hooktape_deliveries_total\{hooktape_endpoint="\(url\)",hooktape_state="delivered",.*\} 5`,
			`hooktape_deliveries_total\{hooktape_endpoint="crm",hooktape_state="delivered",.*\} 6`,
			`hooktape_replay_deliveries\{hooktape_endpoint="parrot",hooktape_state="open",.*\} 5`,
			`hooktape_drain_quarantined_total\{hooktape_spool="events",.*\} 1`,
			`hooktape_replays\{hooktape_state="running",.*\} 1`,
			`hooktape_forward_requests_total\{hooktape_result="answered",hooktape_source="price",.*\} 1`,
			`hooktape_forward_fallbacks_total\{hooktape_reason="error",hooktape_source="price",.*\} 1`,
			`hooktape_forward_missing_keys_total\{hooktape_key="price",hooktape_source="price",.*\} 1`} {
			if !regexp.MustCompile(sample).MatchString(page) {
				return fmt.Errorf("no sample %s", sample)
			}
		}
		return nil
	})
}

// assertForwards verifies that the API and the database both say that bots of the source mimic get no answer of parrot,
// and that those of price get one of crm.
func (w *watched) assertForwards() {
	w.t.Helper()
	w.becomes("SELECT uniqExact(source) FROM attempts WHERE kind = 'forward'", "2")
	direct := *w.instance
	direct.env = append(slices.Clone(w.env), "HOOKTAPE_API_URL=")
	for from, i := range map[string]*instance{"the API": w.instance, "the database": &direct} {
		var list []api.Endpoint
		if err := json.Unmarshal([]byte(i.cli("endpoints", "--json")), &list); err != nil || len(list) != 2 {
			w.t.Fatalf("%s: %d endpoints, %v", from, len(list), err)
		}
		for n, want := range []struct {
			source string
			failed bool
		}{{"price", false}, {"mimic", true}} {
			got := list[n].Forwards
			if len(got) != 1 || got[0].Source != want.source || (got[0].Failures > 0) != want.failed {
				w.t.Errorf("%s: External Requests forwarded to %s: %+v, want some of %s, failed: %t", from, list[n].Name,
					got, want.source, want.failed)
			}
		}
	}
}

// scrape reads the metrics as Prometheus does.
func (w *watched) scrape() string {
	w.t.Helper()
	request, _ := http.NewRequest("GET", "http://"+w.ops+"/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/openmetrics-text") ||
		!strings.HasSuffix(string(page), "# EOF\n") {
		w.t.Fatalf("%s, %v: %s", response.Header.Get("Content-Type"), err, page)
	}
	return string(page)
}

// otlpSink receives OTLP over HTTP and keeps the bodies. Clients send them without compression, so that every text can
// be found.
type otlpSink struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string][]byte // by path
}

func newOTLPSink(t *testing.T) *otlpSink {
	c := &otlpSink{bodies: map[string][]byte{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) && r.URL.Path == "/v1/metrics" {
			return // the SDK aborts a running export of metrics when it ends, and sends all metrics in a last one
		}
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" ||
			r.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v, %v", r.URL, r.Header, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies[r.URL.Path] = append(c.bodies[r.URL.Path], body...)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *otlpSink) got(path string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.bodies[path])
}

// newParrot starts an endpoint that repeats its request in the status line: with invalid HTTP to a forwarded PUT, which
// is no answer, and to every second of the others.
func newParrot(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			heard := make([]byte, 64<<10)
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			length, _ := conn.Read(heard)
			words := strings.ReplaceAll(string(heard[:length]), "\r\n", " ") + " " + personPhone
			if n%2 == 0 && !strings.HasPrefix(words, "PUT ") {
				fmt.Fprintf(conn, "HTTP/1.1 400 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", words)
			} else {
				fmt.Fprintf(conn, "%s\r\n\r\n", words)
			}
			conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}
