package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/test/harness"
)

// local is `hooktape ingest` in this process, on a file system that can be made to fail.
type local struct {
	cancel context.CancelFunc
	actors sync.WaitGroup
	spool  *spool.Spool
	db     *store.Store
}

// startLocal serves at addr, with the spool in dir of fs. The tables must exist.
func startLocal(ctx context.Context, fs vfs.FS, dir, addr, dsn string) (_ *local, err error) {
	logger := slog.New(slog.DiscardHandler)
	l := &local{}
	if l.db, err = store.Open(dsn); err != nil {
		return nil, err
	}
	options := spool.DefaultOptions()
	options.FS, options.Logger = fs, logger
	if l.spool, err = spool.Open(dir, options); err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	lag := func() ingest.Lag { return ingest.Lag{Events: l.spool.Stat().Records} }
	sources := ingest.NewSources([]ingest.Source{{Name: harness.Source, Tokens: []string{harness.Token}}})
	server, err := ingest.NewServer(ingest.DefaultOptions(), sources, l.spool, lag, logger)
	if err != nil {
		return nil, errors.Join(err, l.spool.Close(), l.db.Close())
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, errors.Join(err, l.spool.Close(), l.db.Close())
	}
	sink := ingest.NewSink(l.db, func(string) event.Kind { return "" }, logger)
	drain := spool.NewDrain(l.spool, sink, spool.DefaultLimits(), logger)

	ctx, l.cancel = context.WithCancel(ctx)
	// Both return an error when the disk fails, as they should.
	l.actors.Go(func() { _ = server.Serve(ctx, listener) })
	l.actors.Go(func() { _ = drain.Run(ctx) })
	return l, nil
}

// stop ends l. Closing a spool on a broken disk returns an error, which does not matter.
func (l *local) stop() {
	l.cancel()
	l.actors.Wait()
	_ = l.spool.Close()
	_ = l.db.Close()
}

// beginLocal starts a hooktape in this process and loads it.
func (t *trial) beginLocal(ctx context.Context, fs vfs.FS, dir string) error {
	var err error
	if t.addr, err = testutil.FreeAddr(); err != nil {
		return err
	}
	if t.local, err = startLocal(ctx, fs, dir, t.addr, t.dsn()); err != nil {
		return err
	}
	return t.startLoad(ctx)
}

// restartLocal replaces the hooktape whose disk has failed.
func (t *trial) restartLocal(ctx context.Context, fs vfs.FS, dir string) error {
	t.local.stop()
	next, err := startLocal(ctx, fs, dir, t.addr, t.dsn())
	if err != nil {
		return err
	}
	t.local = next
	return nil
}

// acknowledgesNothing checks a hooktape whose disk has just failed: it must report that it is not ready, and answer no
// request with 200.
func (t *trial) acknowledgesNothing(ctx context.Context) error {
	const late, watch = 100 * time.Millisecond, 300 * time.Millisecond
	refused := t.load.Counts().Refused
	err := t.until(ctx, "hooktape to notice that its disk fails", func() bool {
		ready, err := harness.AskReady(ctx, t.addr)
		return err == nil && ready.Status == 503 && t.load.Counts().Refused > refused
	})
	if err != nil {
		return err
	}
	if err := harness.Pause(ctx, late); err != nil { // for answers that are already being sent
		return err
	}
	before := t.load.Counts().Acked
	if err := harness.Pause(ctx, watch); err != nil {
		return err
	}
	if more := t.load.Counts().Acked - before; more > 0 {
		return fmt.Errorf("%d requests were acknowledged on a disk that fails", more)
	}
	return nil
}
