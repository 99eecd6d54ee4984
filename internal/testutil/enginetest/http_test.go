package enginetest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHTTP verifies the answers to requests of curl and other HTTP clients.
func TestHTTP(t *testing.T) {
	base := overHTTP(t)
	for _, c := range []struct {
		name, method, query, body string
		params                    url.Values
		status                    int
		// The body must contain want, the header must contain "Name: value".
		want, header string
	}{
		{name: "query in the URL", method: "GET", query: "SELECT 1", status: 200, want: "1\n"},
		{name: "query in the body", method: "POST", body: "SELECT 1", status: 200, want: "1\n"},
		{name: "query in both", method: "POST", query: "SELECT 1 +", body: "2", status: 200, want: "3\n"},
		{name: "no query", method: "GET", status: 200, want: "Ok.\n"},
		{name: "format JSON", method: "POST", body: "SELECT 1 AS x FORMAT JSON", status: 200, want: `"x": 1`,
			header: "Content-Type: application/json; charset=UTF-8"},
		{name: "many rows of JSON are one document", method: "POST",
			body:   "SELECT number FROM numbers(200000) FORMAT JSONCompact",
			params: url.Values{"output_format_write_statistics": {"0"}}, status: 200, want: `"rows": 200000`},
		{name: "default format", method: "POST", body: "SELECT 'a', 1", params: url.Values{"default_format": {"CSV"}},
			status: 200, want: "\"a\",1\n", header: "X-ClickHouse-Format: CSV"},
		{name: "header once", method: "POST",
			body: "SELECT number AS n FROM numbers(100000) WHERE n > 99998 FORMAT CSVWithNames", status: 200,
			want: "\"n\"\n99999\n"},
		{name: "Parquet", method: "POST", body: "SELECT 1 FORMAT Parquet", status: 200, want: "PAR1"},
		{name: "Native of files", method: "POST", body: "SELECT 'x' AS s FORMAT Native", status: 200,
			want: "\x01\x01\x01s\x06String\x01x"},
		{name: "Native of a client", method: "POST", body: "SELECT 'x' AS s FORMAT Native", status: 200,
			params: url.Values{"client_protocol_version": {"54460"}}, want: "\x01\x01\x01s\x06String\x00\x01x"},
		{name: "parameter", method: "GET", query: "SELECT {x:String}", params: url.Values{"param_x": {"it's"}},
			status: 200, want: "it\\'s\n"},
		{name: "query id", method: "GET", query: "SELECT 1", params: url.Values{"query_id": {"mine"}}, status: 200,
			want: "1\n", header: "X-ClickHouse-Query-Id: mine"},
		{name: "GET changes nothing", method: "GET", query: "CREATE TABLE t (n Int8) ENGINE = Memory", status: 500,
			want: "Code: 164.", header: "X-ClickHouse-Exception-Code: 164"},
		{name: "unknown setting", method: "GET", query: "SELECT 1", params: url.Values{"nothing": {"1"}}, status: 404,
			want: "Code: 115.", header: "X-ClickHouse-Exception-Code: 115"},
		{name: "invalid setting", method: "GET", query: "SELECT 1", params: url.Values{"max_threads": {"many"}},
			status: 400, want: "Code: "},
		{name: "unknown database", method: "GET", query: "SELECT 1", params: url.Values{"database": {"test_nowhere"}},
			status: 404, want: "Code: 81."},
		{name: "outfile", method: "POST", body: "SELECT 1 INTO OUTFILE '/tmp/x'", status: 500, want: "Code: "},
		{name: "create", method: "POST", body: "CREATE TABLE lines (n UInt8, s String) ENGINE = Memory", status: 200},
		{name: "insert with the data in the body", method: "POST", query: "INSERT INTO lines FORMAT CSV",
			body: "1,\"a\"\n2,\"b;--\"\n", status: 200},
		{name: "insert all in the body", method: "POST",
			body: "INSERT INTO lines FORMAT JSONEachRow\n{\"n\":3,\"s\":\"c\"}\n", status: 200},
		{name: "insert values", method: "POST", body: "INSERT INTO lines (n, s) VALUES (4, upper('d')), (2+3, 'x;y')",
			status: 200},
		{name: "insert values from the body", method: "POST", query: "INSERT INTO lines VALUES", body: "(6,'e')",
			status: 200},
		{name: "insert with settings", method: "POST", query: "INSERT INTO lines SETTINGS async_insert = 0 FORMAT TSV",
			body: "7\tf\n", status: 200},
		{name: "insert select", method: "POST",
			body: "INSERT INTO lines SELECT number + 8, 'FORMAT CSV' FROM numbers(2)", status: 200},
		{name: "insert garbage", method: "POST", query: "INSERT INTO lines FORMAT CSV", body: "x", status: 400,
			want: "Code: 27."},
		{name: "all inserted", method: "POST",
			body: "SELECT groupArray(n), any(s) FROM (SELECT * FROM lines ORDER BY n)", status: 200,
			want: "[1,2,3,4,5,6,7,8,9]\ta\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, header, body := send(t, c.method, with(base, c.query, c.params), strings.NewReader(c.body), nil)
			if status != c.status {
				t.Fatalf("got status %d, want %d: %s", status, c.status, body)
			}
			if !strings.Contains(body, c.want) || c.want == "" && body != "" {
				t.Errorf("got body %q, want %q", body, c.want)
			}
			if name, value, found := strings.Cut(c.header, ": "); found && header.Get(name) != value {
				t.Errorf("got header %s %q, want %q", name, header.Get(name), value)
			}
		})
	}
}

func TestHTTPCompression(t *testing.T) {
	base := overHTTP(t)
	send(t, "POST", with(base, "", nil), strings.NewReader("CREATE TABLE g (n UInt64) ENGINE = Memory"), nil)
	lines := []byte(strings.Repeat("7\n", 3_000_000))
	var gzipped bytes.Buffer
	writer := gzip.NewWriter(&gzipped)
	writer.Write(lines)
	writer.Close()
	for encoding, data := range map[string][]byte{"gzip": gzipped.Bytes(), "": lines} {
		header := http.Header{"Content-Encoding": {encoding}}
		if encoding == "" {
			header = nil
		}
		// A body of 6 MB does not fit into the buffer in memory.
		status, _, body := send(t, "POST", with(base, "INSERT INTO g FORMAT TSV", nil), bytes.NewReader(data), header)
		if status != 200 {
			t.Errorf("%s: got status %d: %s", encoding, status, body)
		}
	}
	if _, _, body := send(t, "GET", with(base, "SELECT count() FROM g", nil), nil, nil); body != "6000000\n" {
		t.Errorf("got %s rows, want 6000000", body)
	}
	status, header, body := send(t, "GET", with(base, "SELECT number FROM numbers(3)",
		url.Values{"enable_http_compression": {"1"}}),
		nil, http.Header{"Accept-Encoding": {"gzip"}})
	if status != 200 || header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("got status %d, encoding %q", status, header.Get("Content-Encoding"))
	}
	decoded, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(decoded); err != nil || string(text) != "0\n1\n2\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestPing(t *testing.T) {
	base := overHTTP(t)
	for _, path := range []string{"/ping", "/", "/replicas_status"} {
		base.Path, base.RawQuery = path, ""
		if status, _, body := send(t, "GET", base.String(), nil, nil); status != 200 || body != "Ok.\n" {
			t.Errorf("%s: got %d %q", path, status, body)
		}
	}
	base.Path = "/nothing"
	if status, _, _ := send(t, "GET", base.String(), nil, nil); status != 404 {
		t.Errorf("an unknown path got status %d", status)
	}
}

// with returns the address with a query and parameters.
func with(base *url.URL, query string, params url.Values) string {
	u, q := *base, base.Query()
	if query != "" {
		q.Set("query", query)
	}
	for name, values := range params {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func send(t *testing.T, method, address string, body io.Reader, header http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}
