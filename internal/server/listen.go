package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"hooktape/internal/config"
	"hooktape/internal/httpserver"
)

// startOps serves metrics and profiles, which only the operator may see, on an address of their own.
func (p *process) startOps(accepting *stage) error {
	if p.cfg.OpsAddr == "" {
		return nil
	}
	listener, err := p.listen(p.cfg.OpsAddr, "--ops-addr", config.OwnOps)
	if err != nil {
		return err
	}
	listener = netutil.LimitListener(listener, opsConnections)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{Registry: p.registry,
		EnableOpenMetrics: true}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, mux) })
	return nil
}

// listen listens on one of hooktape's own addresses, to which nothing is delivered. flag is the flag that sets the
// address, and what describes it; both are for errors.
func (p *process) listen(addr, flag, what string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program (another hooktape?); stop that, or choose another "+
			"address by %s", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	p.own.AddListener(listener.Addr().String(), what) // with the real port, if port 0 is configured
	return listener, nil
}

// serveHTTP serves until ctx ends, and finishes requests for a short time after that.
func (p *process) serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(p.Logger.Handler(), slog.LevelDebug),
	}
	err := httpserver.Serve(ctx, server, listener, answerGrace)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // streams of a replay's progress have no end
	}
	return err
}
