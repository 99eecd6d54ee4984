package config

import "path/filepath"

// DataDir is hooktape's data directory.
type DataDir string

// The names of the spools.
const (
	EventSpool   = "events"   // events on their way to ClickHouse
	OutcomeSpool = "outcomes" // outcomes of deliveries on their way to ClickHouse
)

// SpoolNames are the names of all spools.
var SpoolNames = []string{EventSpool, OutcomeSpool}

// ConfigFile returns the path of the configuration file when no other is named.
func (d DataDir) ConfigFile() string { return d.join("hooktape.yaml") }

// Spools returns the directory of all spools.
func (d DataDir) Spools() string { return d.join("spool") }

// Spool returns the directory of a spool.
func (d DataDir) Spool(name string) string { return filepath.Join(d.Spools(), name) }

// ACME returns the directory of the certificates that an authority issued.
func (d DataDir) ACME() string { return d.join("autocert") }

// Engine returns the directory of the embedded engine's files.
func (d DataDir) Engine() string { return d.join("clickhouse") }

// Private returns the paths in the directory that only their owner may read.
func (d DataDir) Private() []string {
	return []string{d.Spools(), d.ACME(), d.Engine(), d.ConfigFile()}
}

func (d DataDir) join(name string) string { return filepath.Join(string(d), name) }
