package server

import (
	"fmt"
	"math"
	"runtime/debug"
	"syscall"

	"hooktape/internal/config"
)

// descriptors are the shares of the process's parts in its file descriptors. The spools and ClickHouse have enough,
// however many clients connect.
type descriptors struct {
	Tables     int // open files of each spool
	Ingest     int // connections
	Forwards   int // connections to endpoints that answer for a source
	API        int // connections
	Deliveries int // connections to endpoints
}

const (
	// minDescriptors leaves every part a few.
	minDescriptors = 256
	// ownDescriptors are for streams, listeners, the engine's pipes, telemetry and the operator's connections.
	ownDescriptors = 48
	// spoolDescriptors are for a spool's logs, directories and reserve.
	spoolDescriptors      = 24
	clickhouseDescriptors = 16
	minTables, maxTables  = 64, 256
	maxAPIConnections     = 1024
	opsConnections        = 16
)

// divide divides limit descriptors. Of those that hooktape does not need itself, the ingest gets half, of which a
// quarter is for forwarded requests, and the API and the deliveries a quarter each.
func divide(limit int) descriptors {
	tables := max(minTables, min(limit/16, maxTables))
	rest := limit - ownDescriptors - len(config.SpoolNames)*(tables+spoolDescriptors) - clickhouseDescriptors
	return descriptors{Tables: tables, Ingest: rest/2 - rest/8, Forwards: rest / 8, API: min(rest/4, maxAPIConnections),
		Deliveries: rest / 4}
}

// descriptorBudget divides the descriptors that this process may have. Go has raised the limit as far as allowed.
func descriptorBudget() (descriptors, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return descriptors{}, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	if limit.Cur < minDescriptors {
		return descriptors{}, fmt.Errorf("this process may open %d files and needs %d: raise the limit (ulimit -n, "+
			"LimitNOFILE=)", limit.Cur, minDescriptors)
	}
	return divide(int(min(limit.Cur, 1<<20))), nil
}

// restOfMemory is the memory, in bytes, that the process needs at full load in addition to the requests in flight: for
// the spools' tables in memory, the batch on its way to ClickHouse and the program itself.
const restOfMemory = 176 << 20

// limitMemory makes the garbage collector work harder before the process exceeds the memory of its requests and the
// rest. Without it, garbage takes as much memory again as live data. GOMEMLIMIT takes precedence.
func limitMemory(requests int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(restOfMemory + requests)
	}
}
