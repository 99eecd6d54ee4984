package main

import (
	"context"
	"sync"
	"time"
)

// stage is a group of actors that stop together. The program stops stage by stage, so that what one stage still
// produces while it ends, the next one still takes.
type stage struct {
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
	actors sync.WaitGroup
}

// newStage makes a stage that only stop ends. An actor's error is handed to fail, which ends the program.
func newStage(ctx context.Context, fail context.CancelCauseFunc) *stage {
	s := &stage{fail: fail}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// run starts an actor. It ends when the stage's context does, or with an error.
func (s *stage) run(actor func(context.Context) error) {
	s.actors.Go(func() {
		if err := actor(s.ctx); err != nil {
			s.fail(err)
		}
	})
}

// pause waits, and returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// stop ends the actors and waits for them.
func (s *stage) stop() {
	s.cancel()
	s.actors.Wait()
}
