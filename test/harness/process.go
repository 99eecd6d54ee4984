package harness

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs, or ran until it was killed.
type Process struct {
	command *exec.Cmd
	stdin   io.Closer // open for as long as the process may run
	log     string    // file
	ended   chan struct{}
}

// start starts a program of the harness. What it prints goes to the file.
func (r *Harness) start(log string, program string, args ...string) (*Process, error) {
	p := &Process{command: exec.Command(program, args...), log: log, ended: make(chan struct{})}
	// The settings of the developer's environment are not meant for the process under test.
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "HOOKTAPE_") && !strings.HasPrefix(setting, "OTEL_") {
			p.command.Env = append(p.command.Env, setting)
		}
	}
	p.command.Env = append(p.command.Env, r.Env...)
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own
	p.command.Stdout, p.command.Stderr = output, output
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // that it was killed is no news
		close(p.ended)
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = append(r.running, p)
	return p, nil
}

// Kill ends the process as kill -9 and the kernel's out-of-memory killer do: at once and without its help.
func (p *Process) Kill() {
	_ = p.command.Process.Kill() // one that has ended is as good
	<-p.ended
}

// Stop ends the process in order.
func (p *Process) Stop(patience time.Duration) error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.command.Path, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not stop", p.command.Path)
	}
}

// Freeze takes the processor from the process, until Thaw.
func (p *Process) Freeze() error { return p.command.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.command.Process.Signal(syscall.SIGCONT) }

// Ended tells whether the process has.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// ExitStatus is the exit status of a process that has ended, -1 of one that was killed.
func (p *Process) ExitStatus() int { return p.command.ProcessState.ExitCode() }

// Said is the end of what the process printed.
func (p *Process) Said() string {
	const most = 2000
	text, err := p.Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text[max(0, len(text)-most):])
}

// Output is all that the process printed.
func (p *Process) Output() (string, error) {
	text, err := os.ReadFile(p.log)
	return string(text), err
}
