package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"hooktape/internal/httpserver"
	"hooktape/internal/spool"
)

// Spool stores the records of captured requests.
type Spool interface {
	// Append returns nil only when the record and the notes are on disk. They get there with one fsync.
	Append(ctx context.Context, record []byte, notes ...spool.Note) error
	// Notes returns the notes of earlier processes and of this one.
	Notes() ([]spool.Note, error)
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
	unavailables rate.Sometimes      // limits a log line
	handshakes   rate.Sometimes      // limits another
	places       *semaphore.Weighted // for forwarded requests of all sources
	recording    sync.WaitGroup      // of forwarded requests and their outcomes
	stopping     context.Context     // ends when forwarded requests have to
	stop         context.CancelFunc
	patience     context.Context // ends Timeouts.Read after stopping: nothing waits longer for the disk
	giveUp       context.CancelFunc
	unfinished   []spool.Note // intents of earlier processes
	*instruments
}

// NewServer returns a server that appends to events. lag returns the figures of the readiness page.
func NewServer(o Options, sources *Sources, events Spool, lag func() Lag, logger *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{options: o, spool: events, lag: lag, proxies: o.TrustedProxies,
		memory: &memory{max: o.Limits.MaxMemory}, rejects: newRejectLimiters(o.Limits, logger), logger: logger,
		unavailables: onceAMinute(), handshakes: onceAMinute(), instruments: newInstruments(),
		places: semaphore.NewWeighted(int64(o.Limits.MaxForwards))}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.patience, s.giveUp = context.WithCancel(context.Background())
	var err error
	if s.unfinished, err = events.Notes(); err != nil {
		return nil, fmt.Errorf("read the intents of forwarded requests: %w", err)
	}
	s.memory.observe()
	s.connections = newConnections(o, s.memory, s.closed)
	s.sources.Store(NewSources(nil))
	s.SetSources(sources)
	return s, nil
}

// SetSources replaces the sources for all later requests.
func (s *Server) SetSources(sources *Sources) {
	s.setForwarders(sources, s.sources.Load())
	s.sources.Store(sources)
}

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
	return s.judge(s.admitted(unbroken(engine)))
}

// unbroken closes the connection of a request whose answer must not look complete.
func unbroken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if h := judgedOf(r); h != nil && h.broken {
			panic(http.ErrAbortHandler)
		}
	})
}

// elsewhere handles requests that are neither a probe nor a POST to a hook. Another method on a hook's path is still a
// request to a hook, and some sources accept it.
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
	defer s.giveUp()
	defer s.recording.Wait()
	defer context.AfterFunc(s.stopping, func() { time.AfterFunc(s.options.Timeouts.Read, s.giveUp) })
	defer s.stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, s.stop) })()
	s.recording.Go(func() { s.recordLost(s.unfinished) })
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
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, streamKey{}, c)
		},
	}
	return httpserver.Serve(ctx, server, &listener{Listener: l, server: s, tls: http1(s.options.TLS)}, shutdownGrace)
}

// shutdownGrace is the time that requests in flight have to finish.
const shutdownGrace = 5 * time.Second

func (s *Server) recovered(c *gin.Context, panicked any) {
	ctx := c.Request.Context()
	s.panics.Add(ctx, 1)
	trace.SpanFromContext(ctx).AddEvent("panic", trace.WithAttributes(attribute.String("hooktape.route", hookRoute)),
		trace.WithStackTrace(true))
	// The value is not logged: it may contain a part of the request.
	s.logger.ErrorContext(ctx, "a request's handling panicked", "type", fmt.Sprintf("%T", panicked))
	if h := judgedOf(c.Request); h != nil && h.source != nil && h.source.forwarder != nil {
		if h.broken = c.Writer.Written(); !h.broken {
			s.answeredInstead(ctx, c.Writer, h, fallbackPanic)
		}
		return
	}
	c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "internal"})
}
