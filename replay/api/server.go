package api

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// Options are what a server is made of.
type Options struct {
	// Direct answers; the console has the same one.
	Direct *Direct
	// Tokens let their bearers in. Without any nobody is.
	Tokens []Token
	// Guard limits wrong tokens; the console has the same one. Without one the API has its own.
	Guard *Guard
	// Failing tells why the process cannot deliver now; nil when it can.
	Failing func() error
	// Broken returns why only a restart of the process helps; nil when it is well.
	Broken  func() error
	Version string
	Logger  *slog.Logger
}

const (
	maxBodyBytes   = 8 << 20 // a selection of 100,000 ids has 4 MB
	maxSmallBytes  = 64 << 10
	requestTimeout = 2 * time.Minute // freezing a million events takes ten seconds
	maxStreams     = 64
)

type server struct {
	direct  *Direct
	keys    Keyring
	guard   *Guard
	logger  *slog.Logger
	api     huma.API
	streams chan struct{} // holds one for each stream
}

// New makes the handler of everything on the API's address: the API, its document and its page, and the probes.
func New(o Options) (http.Handler, error) {
	keys, err := NewKeyring(o.Tokens)
	if err != nil {
		return nil, err
	}
	if o.Guard == nil {
		o.Guard = NewGuard(o.Logger)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash, engine.HandleMethodNotAllowed = false, true
	s := &server{direct: o.Direct, keys: keys, guard: o.Guard, logger: o.Logger, streams: make(chan struct{}, maxStreams)}
	engine.Use(s.recover, harmless, deadline)
	engine.NoRoute(func(c *gin.Context) {
		writeProblem(c, problem(http.StatusNotFound, "there is nothing at %s; /docs tells what there is", c.Request.URL.Path))
	})
	engine.NoMethod(func(c *gin.Context) {
		writeProblem(c, problem(http.StatusMethodNotAllowed, "%s does not go with %s; /docs tells what does", c.Request.Method, c.Request.URL.Path))
	})
	probes(engine, o.Failing, o.Broken)
	s.api = humagin.New(engine, configuration(cmp.Or(o.Version, "unknown")))
	s.describe()
	s.events()
	s.endpoints()
	s.replays()
	s.streamRoute()
	s.diff()
	s.audit()
	return engine, documentation(engine, s.api.OpenAPI())
}

// recover answers a panic with a problem. The log has its place, not its value, which may be a part of the request.
func (s *server) recover(c *gin.Context) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: // the request's sender has gone
			panic(p)
		default:
			s.logger.Error("the API panicked", "method", c.Request.Method, "path", c.FullPath(), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				writeProblem(c, problem(http.StatusInternalServerError, "hooktape could not do that; its log says why"))
			}
		}
	}()
	c.Next()
}

// harmless keeps browsers from making more of an answer than it is, and caches from keeping it.
func harmless(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// deadline ends what takes too long on either side. A stream moves its own deadline on.
func deadline(c *gin.Context) {
	control := http.NewResponseController(c.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second)) // a writer that has none is a test's
}

func writeProblem(c *gin.Context, p *Problem) {
	c.Header("Content-Type", problemType)
	c.AbortWithStatusJSON(p.Status, p)
}
