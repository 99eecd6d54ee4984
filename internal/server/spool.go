package server

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"hooktape/internal/spool"
	"hooktape/web/api"
)

// openSpool opens a spool. If it fails for good, the process ends, and its service manager restarts it.
func (p *process) openSpool(ctx context.Context, name string, stage *stage) (*spool.Spool, error) {
	options := p.cfg.Spool
	options.MaxOpenFiles = p.budget.Tables
	options.Logger = p.Logger
	options.OnCommit = recordCommit(name)
	options.OnStore = recordStore(name)
	s, err := waitForSpool(ctx, p.File.Data.Spool(name), options)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, s.Close)
	p.spools = append(p.spools, namedSpool{name, s})
	stage.run(func(ctx context.Context) error { return untilFailed(ctx, s) })
	return s, observeSpool(name, s)
}

type namedSpool struct {
	name  string
	spool *spool.Spool
}

// spoolReport returns what waits in the spools of this process.
func (p *process) spoolReport() (list []api.SpoolStorage) {
	for _, s := range p.spools {
		stat := s.spool.Stat()
		list = append(list, api.SpoolStorage{Name: s.name, Records: stat.Records, Bytes: stat.Bytes,
			Oldest: stat.Oldest})
	}
	return list
}

const (
	lockPatience = 15 * time.Second
	lockPause    = 100 * time.Millisecond
)

// waitForSpool opens a spool, and waits up to lockPatience for another process to release it: a process that was just
// killed holds it until the disk has completed its last write.
func waitForSpool(ctx context.Context, dir string, o spool.Options) (*spool.Spool, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for logged := false; ; logged = true {
		s, err := spool.Open(dir, o)
		if !errors.Is(err, spool.ErrLocked) {
			return s, err
		}
		if !logged {
			o.Logger.Warn("another process holds the spool; waiting for its end", "path", dir, "patience", lockPatience)
		}
		if !pause(ctx, lockPause) {
			return nil, err
		}
	}
}

// untilFailed returns the error of a spool that has failed for good, and nil if ctx ends first.
func untilFailed(ctx context.Context, s *spool.Spool) error {
	select {
	case <-s.Failed():
		return s.Err()
	case <-ctx.Done():
		return nil
	}
}

// observeSpool adds a spool's figures to the process's metrics.
func observeSpool(name string, s *spool.Spool) error {
	m := otel.Meter("hooktape/internal/spool")
	labels := metric.WithAttributes(attribute.String("hooktape.spool", name))
	records, _ := m.Int64ObservableGauge("hooktape.spool.records", metric.WithUnit("{record}"),
		metric.WithDescription("Records that wait for ClickHouse."))
	bytes, _ := m.Int64ObservableGauge("hooktape.spool.size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of the records that wait."))
	age, _ := m.Float64ObservableGauge("hooktape.spool.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest record that waits."))
	damaged, _ := m.Int64ObservableGauge("hooktape.spool.damaged", metric.WithUnit("{directory}"),
		metric.WithDescription("Damaged spools that were set aside and still lie there."))
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stat := s.Stat()
		old := 0.0
		if !stat.Oldest.IsZero() {
			old = time.Since(stat.Oldest).Seconds()
		}
		o.ObserveInt64(records, int64(stat.Records), labels)
		o.ObserveInt64(bytes, int64(stat.Bytes), labels)
		o.ObserveFloat64(age, old, labels)
		o.ObserveInt64(damaged, int64(len(stat.Damaged)), labels)
		return nil
	}, records, bytes, age, damaged)
	return err
}

// recordCommit returns a function that records each commit of a spool in the metrics.
func recordCommit(name string) func(spool.Commit) {
	m := otel.Meter("hooktape/internal/spool")
	labels := metric.WithAttributeSet(attribute.NewSet(attribute.String("hooktape.spool", name)))
	took, _ := m.Float64Histogram("hooktape.spool.commit.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a group commit: one write and one fsync."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1))
	size, _ := m.Int64Histogram("hooktape.spool.commit.records", metric.WithUnit("{record}"),
		metric.WithDescription("Records in a group commit."), metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 25, 50,
			100, 250, 500, 1000))
	return func(c spool.Commit) {
		took.Record(context.Background(), c.Took.Seconds(), labels)
		size.Record(context.Background(), int64(c.Records), labels)
	}
}

// recordStore returns a function that records each batch of a spool in the metrics.
func recordStore(name string) func(spool.Store) {
	m, ctx := otel.Meter("hooktape/internal/spool"), context.Background()
	labels := metric.WithAttributeSet(attribute.NewSet(attribute.String("hooktape.spool", name)))
	counter := func(name, unit, what string) metric.Int64Counter {
		c, _ := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		c.Add(ctx, 0, labels) // alerts need the series from the start
		return c
	}
	rows := counter("hooktape.drain.rows", "{record}", "Records brought to ClickHouse.")
	failures := counter("hooktape.drain.failures", "{failure}",
		"Batches that ClickHouse did not take: they are tried again, or halved when it refuses what is in them.")
	quarantined := counter("hooktape.drain.quarantined", "{record}",
		"Records that ClickHouse refuses and that went to the table quarantine.")
	took, _ := m.Float64Histogram("hooktape.drain.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to decode a batch and to bring it to ClickHouse; its count is the number of "+
			"batches."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	size, _ := m.Int64Histogram("hooktape.drain.batch.rows", metric.WithUnit("{record}"),
		metric.WithDescription("Records in a batch that was brought to ClickHouse."),
		metric.WithExplicitBucketBoundaries(1, 10, 100, 500, 1000, 2500, 5000, 10_000))
	return func(s spool.Store) {
		switch {
		case s.Err != nil:
			failures.Add(ctx, 1, labels)
		case s.Quarantined:
			quarantined.Add(ctx, 1, labels)
		default:
			rows.Add(ctx, int64(s.Records), labels)
			took.Record(ctx, s.Took.Seconds(), labels)
			size.Record(ctx, int64(s.Records), labels)
		}
	}
}
