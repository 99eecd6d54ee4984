// Package enginetest provides ClickHouse for tests: the real engine behind its real HTTP interface, in a process of
// cmd/embedded-clickhouse, which a test may kill and restart.
//
//	dsn := enginetest.DSN(t)      // a fresh database of the one engine that the test binary shares
//	engine := enginetest.Start(t) // an engine of the test's own, to Kill and Restart
//
// With HOOKTAPE_TEST_CLICKHOUSE_DSN set, DSN uses that server instead. HOOKTAPE_EMBEDDED_BIN names a built
// embedded-clickhouse; otherwise it is built once for the test binary. No engine outlives the process that started it.
package enginetest
