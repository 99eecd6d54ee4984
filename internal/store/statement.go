package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Statement is a statement of somebody else.
type Statement struct {
	SQL string
	// Format is that of the result if the statement names none. It may be any that the server knows.
	Format string
	// Write lets the statement change data. Without it the server refuses to.
	Write bool
}

// Ask has ClickHouse run one statement and copies its result as it arrives. An error may come after a part of the result.
//
// The server formats the result, which it does over HTTP only. If the DSN names the native protocol's usual port, Ask uses the
// usual port of HTTP; another one is an error.
func (s *Store) RunSQL(ctx context.Context, w io.Writer, q Statement) error {
	address, err := s.httpAddress()
	if err != nil {
		return err
	}
	parameters := url.Values{"database": {s.Database()}, "default_format": {q.Format}}
	if !q.Write {
		parameters.Set("readonly", "2") // which leaves settings to the statement
	}
	address.RawQuery = parameters.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(q.SQL))
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	request.Header.Set("X-ClickHouse-User", s.options.Auth.Username)
	request.Header.Set("X-ClickHouse-Key", s.options.Auth.Password)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.options.TLS
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return explain("ask", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return explain("ask", refusal(response, strings.TrimSpace(string(text))))
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("ask: the result breaks off: %w", err)
	}
	return nil
}

var exceptionPrefix = regexp.MustCompile(`^Code: \d+\. DB::Exception: `)

// refusal is what the server said as the driver's own error.
func refusal(response *http.Response, text string) error {
	e := &clickhouse.Exception{Message: exceptionPrefix.ReplaceAllString(text, "")}
	if _, err := fmt.Sscan(response.Header.Get("X-ClickHouse-Exception-Code"), &e.Code); err != nil {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return e
}

// httpAddress is where the server answers over HTTP.
func (s *Store) httpAddress() (*url.URL, error) {
	u := &url.URL{Scheme: "http", Host: s.options.Addr[0], Path: "/"}
	if s.options.TLS != nil {
		u.Scheme = "https"
	}
	if s.options.Protocol == clickhouse.HTTP {
		return u, nil
	}
	host, port, err := net.SplitHostPort(u.Host)
	http, known := map[string]string{"9000": "8123", "9440": "8443"}[port]
	if err != nil || !known {
		return nil, errors.New("ClickHouse answers in any format over HTTP only, and the DSN names another port: give one such as http://user:password@host:8123/hooktape by --clickhouse-dsn")
	}
	u.Host = net.JoinHostPort(host, http)
	return u, nil
}
