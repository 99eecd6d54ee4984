// Package libchdb calls the ClickHouse engine that libchdb.so carries.
//
// It speaks the library's C interface through purego instead of chdb-go's own binding, because that one loads the
// library in an init function and panics when it cannot, passes queries as C strings (a NUL byte ends them) and lacks
// what this program lives on: bound parameters and streamed inserts, and the switch that keeps the engine's signal
// handlers out of a Go process.
//
// One Library holds one Engine, one Engine one data directory, and any number of Conns run beside each other on it. A
// Conn is a session: settings, parameters and the current database belong to it alone and end with it. It runs one
// statement at a time and is not safe for concurrent use.
package libchdb
