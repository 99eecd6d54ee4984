package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/config"
)

// startEngine starts the embedded engine if this process has it, and closes up when ClickHouse can be used.
func (p *process) startEngine(stage *stage, up chan struct{}) error {
	if !p.Parts.Engine {
		close(up)
		return nil
	}
	e, err := newEngine(p.cfg, p.File.Data.Engine(), p.Logger)
	if err != nil {
		return err
	}
	stage.run(func(ctx context.Context) error {
		return e.run(ctx, func(again bool) {
			if again {
				p.Logger.Info("the embedded ClickHouse is back")
				return
			}
			close(up)
		})
	})
	return nil
}

// engine is the embedded ClickHouse, a child process that is restarted when it ends.
type engine struct {
	binary    string
	addr      string
	dir       string
	passwords []string // environment variables, which other users cannot see, unlike command lines
	log       *slog.Logger
}

const (
	engineRestartDelay = time.Second
	engineStopGrace    = 3 * time.Second
)

// newEngine finds the program in the directory of this one, or in PATH.
func newEngine(cfg *config.Config, dir string, log *slog.Logger) (*engine, error) {
	e := &engine{
		addr: cfg.Embedded.Addr,
		dir:  dir,
		log:  log,
		passwords: []string{
			"HOOKTAPE_EMBEDDED_PASSWORD=" + cfg.Embedded.Password,
			"HOOKTAPE_EMBEDDED_READER_PASSWORD=" + cfg.Embedded.ReaderPassword,
		},
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "embedded-clickhouse")
		if _, err := os.Stat(beside); err == nil {
			e.binary = beside
			return e, nil
		}
	}
	binary, err := exec.LookPath("embedded-clickhouse")
	if err != nil {
		return nil, errors.New("the program embedded-clickhouse is neither beside hooktape nor in PATH; run `make " +
			"build`, or name a ClickHouse by --clickhouse-dsn")
	}
	e.binary = binary
	return e, nil
}

// run keeps the engine running until ctx ends, and calls ready whenever it answers. If it has never answered, run
// returns the engine's own error; if it ends later, run restarts it.
func (e *engine) run(ctx context.Context, ready func(again bool)) error {
	answered := false
	log := rate.Sometimes{First: 1, Interval: time.Minute}
	for {
		said, err := e.once(ctx, func() {
			ready(answered)
			answered = true
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case !answered:
			reason := cmp.Or(strings.TrimPrefix(said, "embedded-clickhouse: "), fmt.Sprint(err))
			return fmt.Errorf("the embedded ClickHouse does not start: %s", reason)
		}
		// While the disk is full, the engine may end every second.
		log.Do(func() {
			e.log.Error("the embedded ClickHouse has ended; it is started again, and again, until it runs", "error",
				explain(err), "said", said)
		})
		if !pause(ctx, engineRestartDelay) {
			return nil
		}
	}
}

// explain returns why the engine ended.
func explain(err error) error {
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		if why, ok := embedded.WriteError(ended.ExitCode()); ok {
			return fmt.Errorf("it could not write a file, and does not go on with half of one: %w; "+
				"nothing that was acknowledged is lost: see to the disk of its directory", why)
		}
	}
	return err
}

// once runs the engine until it ends and returns the last line of its log.
func (e *engine) once(ctx context.Context, ready func()) (said string, err error) {
	command := exec.CommandContext(ctx, e.binary, "serve", "--path", e.dir, "--listen", e.addr, "--exit-with-stdin")
	command.Env = append(os.Environ(), e.passwords...)
	// Ctrl-C at the terminal must not end it before the other parts
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = engineStopGrace
	command.Stdout = lines(func(line string) {
		if strings.HasPrefix(line, "listening on ") {
			ready()
		}
	})
	command.Stderr = lines(func(line string) {
		said = line
		if strings.Contains(strings.ToLower(line), "warning: ") { // the engine could not be confined
			e.log.Warn(strings.TrimPrefix(line, "embedded-clickhouse: "))
			return
		}
		e.log.Debug("embedded ClickHouse", "says", line)
	})
	// The engine ends when this pipe closes, even after a kill -9 of this process.
	if _, err := command.StdinPipe(); err != nil {
		return "", err
	}
	err = command.Run()
	return said, err
}

// lines returns a writer that calls each with every complete line.
func lines(each func(string)) io.Writer {
	var rest []byte
	return writerFunc(func(p []byte) (int, error) {
		rest = append(rest, p...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				return len(p), nil
			}
			if text := strings.TrimSpace(string(line)); text != "" {
				each(text)
			}
			rest = after
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
