package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"hooktape/internal/httpserver"
)

// Spool stores the records of captured requests.
type Spool interface {
	// Append returns nil only when the record is on disk.
	Append(ctx context.Context, record []byte) error
	// Ready returns nil, or why Append would fail now.
	Ready() error
}

// Server receives BotHelp's webhooks.
type Server struct {
	options      Options
	sources      atomic.Pointer[Sources]
	spool        Spool
	lag          func() Lag
	proxies      Proxies
	memory       *memory
	connections  *connections
	rejects      rejectLimiters
	logger       *slog.Logger
	unavailables rate.Sometimes // limits a log line
	handshakes   rate.Sometimes // limits another
	*instruments
}

// NewServer returns a server that appends to spool. lag returns the figures of the readiness page.
func NewServer(o Options, sources *Sources, spool Spool, lag func() Lag, logger *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{options: o, spool: spool, lag: lag, proxies: o.TrustedProxies, memory: &memory{max: o.Limits.MaxMemory},
		rejects: newRejectLimiters(o.Limits, logger), logger: logger,
		unavailables: onceAMinute(), handshakes: onceAMinute(), instruments: newInstruments()}
	s.memory.observe()
	s.connections = newConnections(o, s.memory, s.closed)
	s.SetSources(sources)
	return s, nil
}

// SetSources replaces the sources for all later requests.
func (s *Server) SetSources(sources *Sources) { s.sources.Store(sources) }

func onceAMinute() rate.Sometimes { return rate.Sometimes{First: 1, Interval: time.Minute} }

// Handler returns the whole public surface: hooks and probes. There are no other paths.
func (s *Server) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.Use(s.traced, gin.CustomRecoveryWithWriter(nil, s.recovered))
	engine.GET(healthPath, s.healthz)
	engine.GET(readyPath, s.readyz)
	engine.POST(hooksPrefix+"*hook", s.receive)
	engine.NoRoute(s.elsewhere)
	return s.judge(s.admitted(engine))
}

// elsewhere handles requests that are neither a probe nor a POST to a hook. Another method on a hook's path is still a
// request to a hook.
func (s *Server) elsewhere(c *gin.Context) {
	if judgedOf(c.Request) != nil {
		s.receive(c)
		return
	}
	refuseUnknown(c)
}

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

const hookRoute = hooksPrefix + "{source}/{token}/{step}"

// Serve serves the listener until ctx ends, then finishes the requests in flight.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	t := s.options.Timeouts
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       min(t.Read, t.ReadHeader+t.BodyGrace), // readBody extends it
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    s.options.Limits.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		// Without a handler net/http must answer refused requests only: see stream.Write.
		DisableGeneralOptionsHandler: true,
		ConnState:                    func(c net.Conn, state http.ConnState) { c.(*stream).state(state) },
		ConnContext:                  func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, streamKey{}, c) },
	}
	return httpserver.Serve(ctx, server, &listener{Listener: l, server: s, tls: http1(s.options.TLS)}, shutdownGrace)
}

// shutdownGrace is the time that requests in flight have to finish.
const shutdownGrace = 5 * time.Second

func (s *Server) recovered(c *gin.Context, panicked any) {
	ctx := c.Request.Context()
	s.panics.Add(ctx, 1)
	trace.SpanFromContext(ctx).AddEvent("panic", trace.WithAttributes(attribute.String("hooktape.route", hookRoute)), trace.WithStackTrace(true))
	// The value is not logged: it may contain a part of the request.
	s.logger.ErrorContext(ctx, "a request's handling panicked", "type", fmt.Sprintf("%T", panicked))
	c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "internal"})
}
