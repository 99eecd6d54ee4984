package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"
)

// ErrRefused is wrapped by a Sink's error when the Sink will never store the content of a batch.
var ErrRefused = errors.New("refused for its content")

// Sink stores the batches of a Drain.
type Sink interface {
	// Store stores a batch, once for its token however often it is called. After an error the Drain calls it again,
	// without end, unless the error wraps ErrRefused. mark is the Mark of the next batch.
	Store(ctx context.Context, batch Batch) (mark uint64, err error)
	// Quarantine keeps a batch of one record that Store has refused. The next batch has the same Mark.
	Quarantine(ctx context.Context, batch Batch, refusal error) error
}

// Drain moves batches from a spool to a sink, each exactly once: a batch's bounds are durable before it is sent, its
// token consists of them, and after any crash the very same batch is sent again. A refused batch is halved until its
// bad record is alone.
type Drain struct {
	spool  *Spool
	sink   Sink
	limits Limits
	logger *slog.Logger

	readPause  time.Duration
	unstored   rate.Sometimes // limits a log line
	unreadable rate.Sometimes // limits another
	failing    atomic.Pointer[error]

	mu    sync.Mutex
	acked chan struct{} // closed and replaced at each ack
}

// NewDrain returns a drain that does nothing until Run.
func NewDrain(s *Spool, sink Sink, limits Limits, logger *slog.Logger) *Drain {
	return &Drain{spool: s, sink: sink, limits: limits, logger: logger, readPause: defaultReadPause,
		unstored: onceAMinute(), unreadable: onceAMinute(), acked: make(chan struct{})}
}

// Run drains until ctx ends, and then returns nil. Otherwise it returns the error of a spool that has failed or is
// closed. A spool that cannot be read, because of damage or a lack of descriptors, is tried again.
func (d *Drain) Run(ctx context.Context) error {
	for {
		batch, err := d.spool.Next(ctx, d.limits)
		if err == nil {
			err = d.deliver(ctx, batch)
		}
		switch {
		case ctx.Err() != nil:
			return nil // an unfinished batch comes again, under the same token
		case errors.Is(err, ErrFailed) || errors.Is(err, ErrClosed):
			return fmt.Errorf("drain: %w", err)
		case err != nil:
			d.stuck(ctx, err)
		}
	}
}

// defaultReadPause is the time between two attempts to read an unreadable spool.
const defaultReadPause = 2 * time.Second

// stuck reports that the spool cannot be read, and waits before the next attempt.
func (d *Drain) stuck(ctx context.Context, err error) {
	d.failing.Store(&err)
	d.unreadable.Do(func() {
		d.logger.Error("the spool cannot be read; new records are accepted, none is stored, and reading is tried again",
			"error", err)
	})
	select {
	case <-time.After(d.readPause):
	case <-ctx.Done():
	}
}

// Failing returns why batches are not stored now: the sink's error, or a CorruptionError if the spool cannot be read.
// It returns nil while they are stored.
func (d *Drain) Failing() error {
	if err := d.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush returns when all records appended before the call are stored.
func (d *Drain) Flush(ctx context.Context) error {
	goal := d.spool.Stat().Appended
	for {
		d.mu.Lock()
		acked := d.acked
		d.mu.Unlock()
		if d.spool.Stat().Acked >= goal {
			return nil
		}
		select {
		case <-acked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver stores a batch, or the first half of a refused one: the rest comes with the next batches.
func (d *Drain) deliver(ctx context.Context, batch Batch) error {
	for {
		var mark uint64
		err := d.untilAnswered(ctx, func() (err error) {
			mark, err = d.store(ctx, batch)
			batch.Repeated = true // from the next attempt on
			return err
		})
		switch {
		case err == nil:
			batch.Mark = mark
			return d.ack(batch)
		case !errors.Is(err, ErrRefused):
			return err
		case len(batch.Records) == 1:
			refusal := err
			if err := d.untilAnswered(ctx, func() error { return d.quarantine(ctx, batch, refusal) }); err != nil {
				return err
			}
			return d.ack(batch)
		}
		if batch, err = d.spool.Shrink(batch, len(batch.Records)/2); err != nil {
			return err
		}
	}
}

func (d *Drain) store(ctx context.Context, batch Batch) (mark uint64, err error) {
	begun := time.Now()
	mark, err = d.sink.Store(ctx, batch)
	d.report(ctx, Store{Records: len(batch.Records), Took: time.Since(begun), Err: err})
	return mark, err
}

func (d *Drain) quarantine(ctx context.Context, batch Batch, refusal error) error {
	begun := time.Now()
	err := d.sink.Quarantine(ctx, batch, refusal)
	d.report(ctx, Store{Records: len(batch.Records), Took: time.Since(begun), Quarantined: true, Err: err})
	return err
}

// report passes the result of an attempt to OnStore, unless the drain's end has cut it short.
func (d *Drain) report(ctx context.Context, s Store) {
	if d.spool.opts.OnStore != nil && (s.Err == nil || ctx.Err() == nil) {
		d.spool.opts.OnStore(s)
	}
}

func (d *Drain) ack(batch Batch) error {
	if err := d.spool.Ack(batch); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.acked)
	d.acked = make(chan struct{})
	return nil
}

// untilAnswered calls send until it succeeds, is refused, or ctx ends.
func (d *Drain) untilAnswered(ctx context.Context, send func() error) error {
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval = 100 * time.Millisecond
	delays.MaxInterval = 5 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := send()
		if errors.Is(err, ErrRefused) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(delays), backoff.WithMaxElapsedTime(0), backoff.WithNotify(d.failed))
	if err == nil || errors.Is(err, ErrRefused) {
		d.failing.Store(nil)
	}
	return err
}

func (d *Drain) failed(err error, _ time.Duration) {
	d.failing.Store(&err)
	d.unstored.Do(func() {
		stat := d.spool.Stat()
		d.logger.Warn("records cannot be stored; they wait on disk and are tried again", "error", err,
			"waiting", stat.Records, "bytes", stat.Bytes)
	})
}
