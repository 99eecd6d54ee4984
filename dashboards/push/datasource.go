package push

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// DataSource is a ClickHouse, with the address at which Grafana reaches it.
type DataSource struct {
	UID, Name  string
	Host       string
	Port       int
	HTTP       bool // else the native protocol
	Path       string
	Secure     bool
	SkipVerify bool
	User       string
	Password   string // empty: Grafana keeps the current one
	Database   string
}

var errDSN = errors.New("invalid DSN of the data source: want one such as clickhouse://user@host:9000/hooktape or " +
	"https://user@host:8443/hooktape")

// FromDSN parses a DSN of ClickHouse. Its errors do not contain the DSN, which may contain a password.
func FromDSN(dsn string) (d DataSource, err error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"clickhouse", "tcp", "http", "https"}, u.Scheme) {
		return d, errDSN
	}
	if query := u.Query(); u.Scheme == "https" && !query.Has("secure") { // the driver needs it
		query.Set("secure", "true")
		u.RawQuery = query.Encode()
	}
	o, err := clickhouse.ParseDSN(u.String())
	if err != nil || len(o.Addr) == 0 {
		return d, errDSN
	}
	d = DataSource{HTTP: o.Protocol == clickhouse.HTTP, Path: o.HttpUrlPath, Secure: o.TLS != nil,
		User: cmp.Or(o.Auth.Username, "default"), Password: o.Auth.Password, Database: cmp.Or(o.Auth.Database,
			"hooktape")}
	d.SkipVerify = d.Secure && o.TLS.InsecureSkipVerify
	host, port, err := net.SplitHostPort(o.Addr[0])
	if err != nil { // does not exist
		d.Host, d.Port = strings.Trim(o.Addr[0], "[]"), d.usualPort()
		return d, nil
	}
	d.Host = host
	if d.Port, err = strconv.Atoi(port); err != nil {
		return d, errDSN
	}
	return d, nil
}

func (d DataSource) usualPort() int {
	switch {
	case d.HTTP && d.Secure:
		return 8443
	case d.HTTP:
		return 8123
	case d.Secure:
		return 9440
	}
	return 9000
}

// settings is the plugin's jsonData: the plugin's version 3 reads "server", version 4 "host".
func (d DataSource) settings() map[string]any {
	host := d.Host
	if strings.Contains(host, ":") { // the plugin appends ":port"
		host = "[" + host + "]"
	}
	s := map[string]any{"host": host, "server": host, "port": float64(d.Port), "protocol": "native", "secure": d.Secure,
		"username": d.User, "defaultDatabase": d.Database}
	if d.HTTP {
		s["protocol"] = "http"
	}
	if d.Path != "" {
		s["path"] = d.Path
	}
	if d.SkipVerify {
		s["tlsSkipVerify"] = true
	}
	return s
}
