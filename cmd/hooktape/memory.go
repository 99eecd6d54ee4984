package main

import (
	"math"
	"runtime/debug"
)

// restOfMemory is what the process takes besides the requests in flight at full load: the spools' tables in memory, the
// batch on its way to ClickHouse, the program itself.
const restOfMemory = 176 << 20

// limitMemory has the garbage collector work harder before the process takes more than its requests may, and the rest
// needs: otherwise garbage takes as much again as what is in use. An explicit GOMEMLIMIT wins.
func limitMemory(c *config) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(restOfMemory + c.Ingest.MaxMemory)
	}
}
