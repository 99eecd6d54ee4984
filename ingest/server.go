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

	"hooktape/internal/serve"
)

// Spool is where the server puts what it has captured.
type Spool interface {
	// Append returns nil when the record is on disk, and not before.
	Append(ctx context.Context, record []byte) error
	// Ready returns why Append would fail now.
	Ready() error
}

// Server answers BotHelp.
type Server struct {
	options     Options
	sources     atomic.Pointer[Sources]
	spool       Spool
	lag         func() Lag
	proxies     Proxies
	memory      *memory
	connections *connections
	rejects     rejects
	logger      *slog.Logger
	quiet       rate.Sometimes
	handshakes  rate.Sometimes // limits a warning
	*instruments
}

// NewServer makes a server that appends to spool. lag is asked for the readiness page.
func NewServer(o Options, sources *Sources, spool Spool, lag func() Lag, logger *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{options: o, spool: spool, lag: lag, proxies: o.TrustedProxies, memory: &memory{max: o.Limits.MaxMemory},
		rejects: newRejects(o.Limits, logger), logger: logger,
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}, handshakes: rate.Sometimes{First: 1, Interval: time.Minute}, instruments: newInstruments()}
	s.memory.observe()
	s.connections = newConnections(o, s.memory, s.closed)
	s.SetSources(sources)
	return s, nil
}

// SetSources changes the sources for the requests that come from now on.
func (s *Server) SetSources(sources *Sources) { s.sources.Store(sources) }

// Handler is the whole of the public surface: hooks and probes. No other path exists.
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

// elsewhere takes what is no probe and no POST to a hook. A hook called by another method is still a request to a hook.
func (s *Server) elsewhere(c *gin.Context) {
	if judgedOf(c.Request) != nil {
		s.receive(c)
		return
	}
	c.JSON(http.StatusNotFound, gin.H{"error": "not_found"})
}

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

const hookRoute = hooksPrefix + "{source}/{token}/{step}"

// Serve answers on the listener until ctx ends, then finishes the requests in flight.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	t := s.options.Timeouts
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       min(t.Read, t.ReadHeader+t.BodyGrace), // readBody prolongs it
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    s.options.Limits.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		// No answer without a handler but to what net/http refuses: see stream.Write.
		DisableGeneralOptionsHandler: true,
		ConnState:                    func(c net.Conn, state http.ConnState) { c.(*stream).state(state) },
		ConnContext:                  func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, streamKey{}, c) },
	}
	return serve.Until(ctx, server, &listener{Listener: l, server: s, tls: http1(s.options.TLS)}, shutdownGrace)
}

// shutdownGrace is how long requests in flight have to end.
const shutdownGrace = 5 * time.Second

func (s *Server) recovered(c *gin.Context, panicked any) {
	ctx := c.Request.Context()
	s.panics.Add(ctx, 1)
	trace.SpanFromContext(ctx).AddEvent("panic", trace.WithAttributes(attribute.String("hooktape.route", hookRoute)), trace.WithStackTrace(true))
	// The value is not logged: it may hold a part of the request.
	s.logger.ErrorContext(ctx, "a request's handling panicked", "type", fmt.Sprintf("%T", panicked))
	c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "internal"})
}
