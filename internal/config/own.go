package config

import (
	"net"
	"slices"
	"strconv"

	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// What hooktape's own addresses are, in errors.
const (
	OwnHooks      = "listener for webhooks"
	OwnAPI        = "API and console"
	OwnOps        = "address for operators"
	OwnHTTP       = "listener for plain HTTP"
	ownClickHouse = "ClickHouse"
)

// clickHouseHTTP are the default ports of ClickHouse's HTTP interface. They count as hooktape's own even if the DSN
// names another port, such as the native one: a person with the right to create replays must not query ClickHouse by
// them.
var clickHouseHTTP = []uint16{8123, 8443}

// Own returns hooktape's own addresses by the configuration, to which nothing is delivered.
func (c *Config) Own(db *store.Store) *outbound.OwnAddresses {
	own := &outbound.OwnAddresses{}
	own.AddListener(c.IngestAddr, OwnHooks)
	own.AddListener(c.APIAddr, OwnAPI)
	own.AddListener(c.OpsAddr, OwnOps)
	own.AddListener(c.TLS.HTTPAddr, OwnHTTP)
	if c.UsesEngine() {
		own.AddListener(c.Embedded.Addr, ownClickHouse)
		return own
	}
	for _, addr := range db.Addresses() {
		host, text, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		ports := clickHouseHTTP
		if port, err := strconv.ParseUint(text, 10, 16); err == nil && !slices.Contains(ports, uint16(port)) {
			ports = append(slices.Clone(ports), uint16(port))
		}
		for _, port := range ports {
			own.AddServer(host, port, ownClickHouse)
		}
	}
	return own
}
