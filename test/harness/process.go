package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Process is a started program.
type Process struct {
	command *exec.Cmd
	stdin   io.Closer // closing it ends the process
	log     string    // file
	ended   chan struct{}
}

// start starts a program. Its output goes to the file log.
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
		_ = p.command.Wait() // the error of a killed process is expected
		close(p.ended)
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = append(r.running, p)
	return p, nil
}

// Kill ends the process with SIGKILL, as the kernel's out-of-memory killer does.
func (p *Process) Kill() {
	_ = p.command.Process.Kill() // it may have ended already
	<-p.ended
}

// Stop ends the process with SIGTERM.
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

// Freeze stops the process until Thaw.
func (p *Process) Freeze() error { return p.command.Process.Signal(syscall.SIGSTOP) }

// Thaw continues a frozen process.
func (p *Process) Thaw() error { return p.command.Process.Signal(syscall.SIGCONT) }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// ExitStatus returns the exit status of an ended process, -1 if it was killed.
func (p *Process) ExitStatus() int { return p.command.ProcessState.ExitCode() }

// Said returns the end of the output.
func (p *Process) Said() string {
	const most = 2000
	text, err := p.Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text[max(0, len(text)-most):])
}

// Output returns the whole output.
func (p *Process) Output() (string, error) {
	text, err := os.ReadFile(p.log)
	return string(text), err
}

// NewProgram starts another program. It returns when the program answers GET /healthz at addr.
func (r *Harness) NewProgram(ctx context.Context, addr, program string, args ...string) (*Process, error) {
	p, err := r.StartProgram(program, args...)
	if err != nil {
		return nil, err
	}
	return p, p.awaitAnswer(ctx, addr, "/healthz")
}

// StartProgram starts another program without waiting for it.
func (r *Harness) StartProgram(program string, args ...string) (*Process, error) {
	dir, err := r.NewDir("program")
	if err != nil {
		return nil, err
	}
	return r.start(dir+".log", program, args...)
}

// awaitAnswer waits until the process answers at addr. If it ends instead, the error has its output.
func (p *Process) awaitAnswer(ctx context.Context, addr, path string) error {
	err := Until(ctx, startPatience, p.command.Path, func() bool { return p.Ended() || answers(ctx, addr, path) })
	if err == nil && p.Ended() {
		return fmt.Errorf("%s does not start: %s", p.command.Path, p.Said())
	}
	return err
}

// CPU returns the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	proc, err := procfs.NewProc(p.command.Process.Pid)
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// RSS returns the memory of the process in bytes.
func (p *Process) RSS() (int64, error) {
	status, err := p.status()
	return int64(status.VmRSS), err
}

// PeakRSS returns the largest memory of the process so far in bytes.
func (p *Process) PeakRSS() (int64, error) {
	status, err := p.status()
	return int64(status.VmHWM), err
}

func (p *Process) status() (procfs.ProcStatus, error) {
	proc, err := procfs.NewProc(p.command.Process.Pid)
	if err != nil {
		return procfs.ProcStatus{}, err
	}
	return proc.NewStatus()
}
