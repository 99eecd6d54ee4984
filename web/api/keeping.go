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

// Kept is the retention of a group of rows.
type Kept struct {
	What       string     `json:"what" doc:"A table, or a column such as events.body." example:"events"`
	Source     string     `json:"source,omitempty" doc:"The source of the rows; absent if the retention is the same for all."`
	Rejected   bool       `json:"rejected" doc:"Whether these are rejected requests, of all sources."`
	Configured string     `json:"configured" doc:"The retention of the configuration, such as 90d, or for ever."`
	InForce    string     `json:"in_force" doc:"The retention that ClickHouse has. It differs until the next start or migration."`
	Rows       uint64     `json:"rows" doc:"The number of rows; of deliveries and replays each version."`
	Oldest     *time.Time `json:"oldest,omitempty" doc:"The time of the oldest row; absent without rows."`
	Expired    uint64     `json:"expired" doc:"Rows past the retention in force, which ClickHouse removes within hours."`
}

// RetentionReport is the retention of everything.
type RetentionReport struct {
	Kept []Kept `json:"kept" doc:"By table and, of events, by source."`
}

// Retention returns the retention of every table and source. It needs the role admin.
func (d *Direct) Retention(ctx context.Context) (RetentionReport, error) {
	report := RetentionReport{Kept: []Kept{}}
	if err := d.require(RoleAdmin); err != nil {
		return report, err
	}
	found, err := d.store.RetentionReport(ctx, d.host.Retention)
	for _, k := range found {
		report.Kept = append(report.Kept, Kept{What: k.What, Source: k.Source, Rejected: k.NotAccepted,
			Configured: k.Configured, InForce: k.InForce, Rows: k.Rows, Oldest: orNil(k.Oldest), Expired: k.Expired})
	}
	return report, err
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// TableStorage is the size of a table.
type TableStorage struct {
	Table        string     `json:"table" doc:"Its name."`
	Rows         uint64     `json:"rows" doc:"The number of rows; each version of a row counts."`
	Bytes        uint64     `json:"bytes" doc:"On ClickHouse's disk, with indexes and projections."`
	Compressed   uint64     `json:"compressed" doc:"Bytes of the columns alone."`
	Uncompressed uint64     `json:"uncompressed" doc:"The same before compression."`
	Oldest       *time.Time `json:"oldest,omitempty" doc:"The time of the oldest row; absent without rows."`
	Newest       *time.Time `json:"newest,omitempty" doc:"The time of the newest row; absent without rows."`
}

// SourceStorage is the size of a source's events.
type SourceStorage struct {
	Source    string `json:"source" doc:"Its name; empty for all names that are not a source."`
	Events    uint64 `json:"events" doc:"The number of its events."`
	Rejected  uint64 `json:"rejected" doc:"Rejected ones among them."`
	BodyBytes uint64 `json:"body_bytes" doc:"Bytes of the bodies before compression."`
}

// SpoolStorage is a spool of the process that answers.
type SpoolStorage struct {
	Name    string     `json:"name" doc:"Its name: events or outcomes."`
	Records uint64     `json:"records" doc:"Records that wait for ClickHouse."`
	Bytes   uint64     `json:"bytes" doc:"Bytes of these records."`
	Oldest  *time.Time `json:"oldest,omitempty" doc:"When the oldest of them was appended; absent if none waits."`
}

// DiskStorage is the space on a disk.
type DiskStorage struct {
	Disk  string `json:"disk" doc:"What is on it." example:"ClickHouse: default"`
	Free  uint64 `json:"free" doc:"Free bytes."`
	Total uint64 `json:"total" doc:"All bytes."`
}

// StorageReport is the space that everything takes.
type StorageReport struct {
	Tables  []TableStorage  `json:"tables" doc:"The largest first."`
	Sources []SourceStorage `json:"sources" doc:"The one with the most events first."`
	Spools  []SpoolStorage  `json:"spools" doc:"The spools of the process that answers."`
	Disks   []DiskStorage   `json:"disks" doc:"The disks of ClickHouse, and that of the spools."`
}

// Storage returns the space that everything takes. It needs the role admin.
func (d *Direct) Storage(ctx context.Context) (StorageReport, error) {
	r := StorageReport{Tables: []TableStorage{}, Sources: []SourceStorage{}, Spools: []SpoolStorage{},
		Disks: []DiskStorage{}}
	if err := d.require(RoleAdmin); err != nil {
		return r, err
	}
	tables, err := d.store.StorageReport(ctx)
	for _, t := range tables {
		r.Tables = append(r.Tables, TableStorage{t.Table, t.Rows, t.Bytes, t.Compressed, t.Uncompressed,
			orNil(t.Oldest), orNil(t.Newest)})
	}
	sources, failed := d.store.StorageBySource(ctx)
	err = errors.Join(err, failed)
	for _, s := range sources {
		r.Sources = append(r.Sources, SourceStorage{s.Source, s.Events, s.Rejected, s.BodyBytes})
	}
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
