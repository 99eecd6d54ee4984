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

// Statement is an SQL statement of a person.
type Statement struct {
	SQL string
	// Format is the format of the result if the statement names none: any that the server knows.
	Format string
	// Write allows the statement to change data; the server refuses that without it.
	Write bool
}

// RunSQL runs one statement and copies its result as it arrives. An error may follow a part of the result.
// Only over HTTP does the server format the result. If the DSN has the native protocol's usual port, RunSQL uses the
// usual port of HTTP; another native port is an error.
func (s *Store) RunSQL(ctx context.Context, w io.Writer, q Statement) error {
	address, err := s.httpAddress()
	if err != nil {
		return err
	}
	parameters := url.Values{"database": {s.Database()}, "default_format": {q.Format}}
	if !q.Write {
		parameters.Set("readonly", "2") // allows settings in the statement
	}
	address.RawQuery = parameters.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(q.SQL))
	if err != nil {
		return fmt.Errorf("run the statement: %w", err)
	}
	request.Header.Set("X-ClickHouse-User", s.options.Auth.Username)
	request.Header.Set("X-ClickHouse-Key", s.options.Auth.Password)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.options.TLS
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return explain("run the statement", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return explain("run the statement", refusal(response, strings.TrimSpace(string(text))))
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("run the statement: the result is incomplete: %w", err)
	}
	return nil
}

var exceptionPrefix = regexp.MustCompile(`^Code: \d+\. DB::Exception: `)

// refusal returns the server's message as an error of the driver's type.
func refusal(response *http.Response, text string) error {
	e := &clickhouse.Exception{Message: exceptionPrefix.ReplaceAllString(text, "")}
	if _, err := fmt.Sscan(response.Header.Get("X-ClickHouse-Exception-Code"), &e.Code); err != nil {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return e
}

// httpAddress returns the server's address over HTTP.
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
		return nil, errors.New("ClickHouse formats results only over HTTP, and the DSN has another port: set " +
			"--clickhouse-dsn to one such as http://user:password@host:8123/hooktape")
	}
	u.Host = net.JoinHostPort(host, http)
	return u, nil
}
