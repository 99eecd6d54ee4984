package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"hooktape/internal/testutil"
	"hooktape/test/harness"
)

// collector is a process of the collector.
type collector struct {
	*harness.Process
	addr string // for OTLP over HTTP
}

// startCollector starts the collector with a folder for its queue. It returns when the collector accepts telemetry.
// dsn is the data source name of an engine. addr is the address of the one before; empty: choose one.
func (t *trial) startCollector(ctx context.Context, dsn, dir, addr string) (c *collector, err error) {
	clickhouse, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	user := clickhouse.User
	clickhouse.User = nil
	password, _ := user.Password()
	grpc, err := testutil.FreeAddr()
	if err != nil {
		return nil, err
	}
	if addr == "" {
		if addr, err = testutil.FreeAddr(); err != nil {
			return nil, err
		}
	}
	t.harness.Env = []string{"HOOKTAPE_COLLECTOR_CLICKHOUSE=" + clickhouse.String(),
		"HOOKTAPE_COLLECTOR_USER=" + user.Username(), "HOOKTAPE_COLLECTOR_PASSWORD=" + password,
		"HOOKTAPE_COLLECTOR_DIR=" + dir, "HOOKTAPE_COLLECTOR_GRPC=" + grpc, "HOOKTAPE_COLLECTOR_HTTP=" + addr}
	defer func() { t.harness.Env = nil }()
	c = &collector{addr: addr}
	if c.Process, err = t.harness.StartProgram(t.program, "--config="+t.file); err != nil {
		return nil, err
	}
	err = harness.Until(ctx, patience, "the collector", func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil || c.Ended()
	})
	if c.Ended() {
		err = errors.Join(err, fmt.Errorf("the collector has ended: %s", c.Said()))
	}
	return c, err
}

// patience is the timeout of every wait.
const patience = 2 * time.Minute
