package server

import (
	"context"
	"sync"
	"time"
)

// stage is a group of actors that stop together. Because the program stops stage by stage, the next stage still
// processes what the actors of a stage produce while they end.
type stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
	actors sync.WaitGroup
}

// actor works until ctx ends, or returns an error.
type actor func(ctx context.Context) error

// newStage returns a stage that ends only by stop. The error of an actor is passed to fail, which ends the program.
func newStage(ctx context.Context, fail context.CancelCauseFunc) *stage {
	s := &stage{fail: fail}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// run starts an actor.
func (s *stage) run(act actor) {
	s.actors.Go(func() {
		if err := act(s.ctx); err != nil {
			s.fail(err)
		}
	})
}

// stop ends the actors and waits for them.
func (s *stage) stop() {
	s.cancel()
	s.actors.Wait()
}

// pause waits, and reports whether the whole time has passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
