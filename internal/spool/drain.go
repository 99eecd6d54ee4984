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

// ErrRefused is what a Sink's error wraps when it will never take what is in a batch.
var ErrRefused = errors.New("refused for its content")

// Sink is where a Drain brings batches.
type Sink interface {
	// Store stores a batch, once for its token however often it is called. An error is tried again without end, unless
	// it wraps ErrRefused. mark is the Mark of the next batch.
	Store(ctx context.Context, batch Batch) (mark uint64, err error)
	// Quarantine keeps a batch of one record that Store has refused. The next batch has the same Mark.
	Quarantine(ctx context.Context, batch Batch, refusal error) error
}

// Drain takes batches from a spool to a sink, each exactly once: a batch's bounds are durable before it is sent, its
// token is made of them, and after whatever crash the very same batch is sent again. A batch that is refused is halved
// until its bad record stands alone.
type Drain struct {
	spool  *Spool
	sink   Sink
	limits Limits
	logger *slog.Logger

	quiet   rate.Sometimes
	unread  rate.Sometimes
	failing atomic.Pointer[error]

	mu    sync.Mutex
	acked chan struct{} // closed and replaced at each ack
}

// NewDrain makes a drain; it does nothing until Run.
func NewDrain(s *Spool, sink Sink, limits Limits, logger *slog.Logger) *Drain {
	return &Drain{spool: s, sink: sink, limits: limits, logger: logger, acked: make(chan struct{}),
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}, unread: rate.Sometimes{First: 1, Interval: time.Minute}}
}

// Run drains until ctx ends, and returns nil then. Any other return is a spool that has failed or is closed. One that
// cannot be read, because of damage or for want of descriptors, is tried again.
func (d *Drain) Run(ctx context.Context) error {
	for {
		batch, err := d.spool.Next(ctx, d.limits)
		if err == nil {
			err = d.deliver(ctx, batch)
		}
		switch {
		case ctx.Err() != nil:
			return nil // a batch that is under way comes again, under the same token
		case errors.Is(err, ErrFailed) || errors.Is(err, ErrClosed):
			return fmt.Errorf("drain: %w", err)
		case err != nil:
			d.stuck(ctx, err)
		}
	}
}

const readPause = 2 * time.Second

// stuck says that the spool cannot be read, and waits before that is tried again.
func (d *Drain) stuck(ctx context.Context, err error) {
	d.failing.Store(&err)
	d.unread.Do(func() {
		d.logger.Error("the spool cannot be read; new records are taken, none is stored, and reading is tried again", "error", err)
	})
	select {
	case <-time.After(readPause):
	case <-ctx.Done():
	}
}

// Failing returns why batches are not stored now: what the sink says, or a CorruptionError where the spool cannot be read.
// nil while they are.
func (d *Drain) Failing() error {
	if err := d.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush returns when all that was appended before it is stored.
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

// deliver stores a batch or, of one that is refused, its first half: the rest comes with the next batches.
func (d *Drain) deliver(ctx context.Context, batch Batch) error {
	for {
		var mark uint64
		err := d.untilAnswered(ctx, func() (err error) {
			mark, err = d.store(ctx, batch)
			batch.Repeated = true // whatever comes next
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
	d.tell(ctx, Store{Records: len(batch.Records), Took: time.Since(begun), Err: err})
	return mark, err
}

func (d *Drain) quarantine(ctx context.Context, batch Batch, refusal error) error {
	begun := time.Now()
	err := d.sink.Quarantine(ctx, batch, refusal)
	d.tell(ctx, Store{Records: len(batch.Records), Took: time.Since(begun), Quarantined: true, Err: err})
	return err
}

// tell reports what became of a batch, unless it was cut short because the drain ends.
func (d *Drain) tell(ctx context.Context, s Store) {
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
	delays.InitialInterval, delays.MaxInterval = 100*time.Millisecond, 5*time.Second
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
	d.quiet.Do(func() {
		stat := d.spool.Stat()
		d.logger.Warn("records cannot be stored; they wait on disk and are tried again", "error", err,
			"waiting", stat.Records, "bytes", stat.Bytes)
	})
}
