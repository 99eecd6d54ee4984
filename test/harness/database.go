package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Connect opens a connection to a database.
func Connect(dsn string) (driver.Conn, error) {
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(options)
}

// Database is the DSN of a database, queried over ClickHouse's HTTP interface as Grafana and curl do.
type Database string

// Ask returns the result of a query in a format of ClickHouse, and the number of rows that ClickHouse read.
func (d Database) Ask(ctx context.Context, format, sql string) (answer string, read uint64, err error) {
	u, err := url.Parse(string(d))
	if err != nil {
		return "", 0, err
	}
	u.Path, u.RawQuery = "/", url.Values{"database": {strings.Trim(u.Path, "/")}, "default_format": {format},
		"wait_end_of_query": {"1"}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return "", 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", sql, text)
	}
	var summary struct {
		ReadRows uint64 `json:"read_rows,string"`
	}
	_ = json.Unmarshal([]byte(response.Header.Get("X-ClickHouse-Summary")), &summary)
	return strings.TrimSpace(string(text)), summary.ReadRows, err
}

// Text returns a result as tab-separated values.
func (d Database) Text(ctx context.Context, sql string) (string, error) {
	text, _, err := d.Ask(ctx, "TSVRaw", sql)
	return text, err
}

// Lines returns the rows of a result.
func (d Database) Lines(ctx context.Context, sql string) ([]string, error) {
	text, err := d.Text(ctx, sql)
	if text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), err
}

// Number returns a result of one number.
func (d Database) Number(ctx context.Context, sql string) (int, error) {
	text, err := d.Text(ctx, sql)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}
