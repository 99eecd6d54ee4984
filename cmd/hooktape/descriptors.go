package main

import (
	"fmt"
	"syscall"
)

// descriptors divides the process's file descriptors among its parts. It keeps enough for the spools and for ClickHouse,
// however many clients connect.
type descriptors struct {
	Tables     int // open at once, in each spool
	Ingest     int // connections
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

// divide divides limit descriptors. Of those that hooktape does not need itself, the ingest gets half, the API and deliveries
// a quarter each.
func divide(limit int) descriptors {
	tables := max(minTables, min(limit/16, maxTables))
	rest := limit - ownDescriptors - len(spoolNames)*(tables+spoolDescriptors) - clickhouseDescriptors
	return descriptors{Tables: tables, Ingest: rest / 2, API: min(rest/4, maxAPIConnections), Deliveries: rest / 4}
}

// descriptorBudget divides what this process may have. Go raises the limit to the highest that is allowed.
func descriptorBudget() (descriptors, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return descriptors{}, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	if limit.Cur < minDescriptors {
		return descriptors{}, fmt.Errorf("this process may open %d files and needs %d: raise the limit (ulimit -n, LimitNOFILE=)", limit.Cur, minDescriptors)
	}
	return divide(int(min(limit.Cur, 1<<20))), nil
}
