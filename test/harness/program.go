package harness

import (
	"context"
	"fmt"
)

// NewProgram starts any other program that answers GET /healthz at addr, and returns when it does.
func (r *Harness) NewProgram(ctx context.Context, addr, program string, args ...string) (*Process, error) {
	p, err := r.StartProgram(program, args...)
	if err != nil {
		return nil, err
	}
	return p, p.awaitAnswer(ctx, addr, "/healthz")
}

// StartProgram starts any other program and does not wait for it.
func (r *Harness) StartProgram(program string, args ...string) (*Process, error) {
	dir, err := r.NewDir("program")
	if err != nil {
		return nil, err
	}
	return r.start(dir+".log", program, args...)
}

// awaitAnswer returns when the process answers at addr. One that ends instead is an error in its own words.
func (p *Process) awaitAnswer(ctx context.Context, addr, path string) error {
	err := Until(ctx, startPatience, p.command.Path, func() bool { return p.Ended() || answers(ctx, addr, path) })
	if err == nil && p.Ended() {
		return fmt.Errorf("%s does not start: %s", p.command.Path, p.Said())
	}
	return err
}
