// Package fetch brings the ClickHouse engine, libchdb.so, into the user's cache: once, of one pinned version, whole or not at
// all. It comes as an npm package, since that is where its makers publish it for all systems; npm is run to fetch it, so that
// the user's registry, proxy and certificates are honoured.
package fetch
