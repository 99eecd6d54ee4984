package main

import (
	"net"
	"slices"
	"strconv"

	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// What hooktape's own addresses are, in words.
const (
	ownHooks      = "listener for webhooks"
	ownAPI        = "API and console"
	ownOps        = "address for operators"
	ownHTTP       = "listener for plain HTTP"
	ownClickHouse = "ClickHouse"
)

// clickHouseHTTP are the ports on which ClickHouse answers HTTP by default. They count where the DSN names another port too,
// such as the native one: whoever may create replays must not query ClickHouse by its HTTP interface.
var clickHouseHTTP = []uint16{8123, 8443}

// own is hooktape itself, as the configuration has it: nothing is delivered there.
func (c *config) own(db *store.Store) *outbound.OwnAddresses {
	own := &outbound.OwnAddresses{}
	for addr, what := range map[string]string{c.IngestAddr: ownHooks, c.APIAddr: ownAPI, c.OpsAddr: ownOps, c.TLS.HTTPAddr: ownHTTP} {
		own.AddListener(addr, what)
	}
	if c.embedded() {
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
