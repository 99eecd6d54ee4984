package api

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// Host describes the process that answers.
type Host struct {
	Retention store.Retention // as configured
	Spools    func() []SpoolStorage
	DataDir   string // of the spools
	// Source returns the configured spelling of a source's name, and the kind of its events whose bodies do not
	// determine it.
	Source func(name string) (string, event.Kind)
	// Forwards returns the endpoint of each source that forwards External Requests, by the source's name.
	Forwards func() map[string]string
}

// SetHost adds a process's configured retention, spools and disk to the reports of retention and storage, and its
// sources to accepted events and to endpoints. Without it, storage covers ClickHouse only.
func (d *Direct) SetHost(h Host) { d.host = h }

// RetentionReport is the retention of everything.
type RetentionReport struct {
	Kept []store.RetentionStatus `json:"kept" doc:"By table and, of events, by source."`
}

// Retention returns the retention of every table and source. It needs the role admin.
func (d *Direct) Retention(ctx context.Context) (RetentionReport, error) {
	if err := d.require(RoleAdmin); err != nil {
		return RetentionReport{}, err
	}
	kept, err := d.store.RetentionReport(ctx, d.host.Retention)
	return RetentionReport{kept}, err
}

// SpoolStorage is a spool of the process that answers.
type SpoolStorage struct {
	Name    string    `json:"name" doc:"Its name: events or outcomes."`
	Records uint64    `json:"records" doc:"Records that wait for ClickHouse."`
	Bytes   uint64    `json:"bytes" doc:"Bytes of these records."`
	Oldest  time.Time `json:"oldest,omitzero" doc:"When the oldest of them was appended; absent if none waits."`
}

// DiskStorage is the space on a disk.
type DiskStorage struct {
	Disk  string `json:"disk" doc:"What is on it." example:"ClickHouse: default"`
	Free  uint64 `json:"free" doc:"Free bytes."`
	Total uint64 `json:"total" doc:"All bytes."`
}

// TableStorage is the space that a table takes.
type TableStorage = store.TableStorage

// StorageReport is the space that everything takes.
type StorageReport struct {
	Tables  []TableStorage        `json:"tables" doc:"The largest first."`
	Sources []store.SourceStorage `json:"sources" doc:"The one with the most events first."`
	Spools  []SpoolStorage        `json:"spools" doc:"The spools of the process that answers."`
	Disks   []DiskStorage         `json:"disks" doc:"The disks of ClickHouse, and that of the spools."`
}

// Storage returns the space that everything takes. It needs the role admin.
func (d *Direct) Storage(ctx context.Context) (StorageReport, error) {
	r := StorageReport{Spools: []SpoolStorage{}, Disks: []DiskStorage{}}
	if err := d.require(RoleAdmin); err != nil {
		return r, err
	}
	var err, failed error
	r.Tables, err = d.store.StorageReport(ctx)
	r.Sources, failed = d.store.StorageBySource(ctx)
	err = errors.Join(err, failed)
	r.Sources = append([]store.SourceStorage{}, r.Sources...) // none is an empty list
	disks, failed := d.store.Disks(ctx)
	err = errors.Join(err, failed)
	for _, disk := range disks {
		r.Disks = append(r.Disks, DiskStorage{"ClickHouse: " + disk.Name, disk.Free, disk.Total})
	}
	if d.host.Spools != nil {
		r.Spools = append(r.Spools, d.host.Spools()...)
	}
	if d.host.DataDir != "" {
		var stat syscall.Statfs_t
		if failed := syscall.Statfs(d.host.DataDir, &stat); failed != nil {
			return r, errors.Join(err, fmt.Errorf("read the free space of the data directory: %w", failed))
		}
		r.Disks = append(r.Disks, DiskStorage{"Spools", uint64(stat.Bavail) * uint64(stat.Bsize),
			uint64(stat.Blocks) * uint64(stat.Bsize)})
	}
	return r, err
}

func (s *server) keepingRoutes() {
	reply(s, RoleAdmin, "GET /retention", huma.Operation{OperationID: "get-retention",
		Summary:     "Show how long what is kept",
		Description: "The configured retention, the one in force, and the rows, by table and, of events, by source."},
		func(ctx context.Context, _ *struct{}) (RetentionReport, error) {
			return s.as(ctx).Retention(ctx)
		})
	reply(s, RoleAdmin, "GET /storage", huma.Operation{OperationID: "get-storage",
		Summary:     "Show the space that everything takes",
		Description: "Tables, sources, spools and disks."},
		func(ctx context.Context, _ *struct{}) (StorageReport, error) {
			return s.as(ctx).Storage(ctx)
		})
}
