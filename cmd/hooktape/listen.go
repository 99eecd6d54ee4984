package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"hooktape/internal/serve"
)

// listen listens on one of hooktape's own addresses, where nothing is delivered to; what says what it is.
func (p *process) listen(addr, flag, what string) (net.Listener, error) {
	listener, err := listen(addr, flag)
	if err == nil {
		p.own.AddListener(listener.Addr().String(), what) // the real port, where port 0 is configured
	}
	return listener, err
}

func listen(addr, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program (another hooktape?); stop that, or choose another address by %s", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return listener, nil
}

// serveHTTP answers until ctx ends, and a moment longer, so that what is being made is made.
func (p *process) serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	err := serve.Until(ctx, server, listener, answerGrace)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // streams have no end of their own
	}
	return err
}
