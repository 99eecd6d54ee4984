package api

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Options configure a server.
type Options struct {
	// Direct answers the requests.
	Direct *Direct
	// Tokens identify the callers. Without tokens every request is rejected.
	Tokens []Token
	// Guard limits wrong tokens. The console shares it.
	Guard *Guard
	// Failing returns why the process cannot deliver now, or nil.
	Failing func() error
	// Broken returns why only a restart of the process helps, or nil.
	Broken  func() error
	Version string
	Logger  *slog.Logger
}

const (
	maxBodyBytes   = 8 << 20 // a selection of 100,000 ids has 4 MB
	maxSmallBytes  = 64 << 10
	requestTimeout = 2 * time.Minute // freezing a million events takes ten seconds
)

// maxStreams limits the streams that are open at the same time. Tests lower it.
var maxStreams = 64

type server struct {
	direct  *Direct
	keys    Keyring
	guard   *Guard
	logger  *slog.Logger
	api     huma.API
	streams chan struct{} // one element for each open stream
}

// New returns the handler of the API, its document, the page about it, and the probes.
func New(o Options) (http.Handler, error) {
	mux := http.NewServeMux()
	s, err := newServer(o, mux)
	if err != nil {
		return nil, err
	}
	probes(mux, o.Failing, o.Broken)
	if err := serveDocument(mux, s.api.OpenAPI()); err != nil {
		return nil, err
	}
	return Recover("API", o.Logger, secured(routed(mux)), func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, Problemf(http.StatusInternalServerError, InternalError))
	}), nil
}

// newServer registers all operations.
func newServer(o Options, mux *http.ServeMux) (*server, error) {
	keys, err := NewKeyring(o.Tokens)
	if err != nil {
		return nil, err
	}
	s := &server{direct: o.Direct, keys: keys, guard: o.Guard, logger: o.Logger,
		streams: make(chan struct{}, maxStreams)}
	s.api = humago.New(mux, configuration(cmp.Or(o.Version, "unknown")))
	s.describe()
	s.idRoute()
	s.eventRoutes()
	s.deliveryRoutes()
	s.acceptRoute()
	s.viewRoutes()
	s.endpointRoutes()
	s.replayRoutes()
	s.streamRoute()
	s.diffRoute()
	s.auditRoute()
	s.analyticsRoutes()
	s.loginLinkRoute()
	s.keepingRoutes()
	return s, nil
}

// secured sets the headers that keep browsers from running an answer, and caches from storing it. It limits the time to
// write the answer; a stream extends its own limit.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		// fails for a test's writer
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second))
		next.ServeHTTP(w, r)
	})
}

// routed answers a request without a route with a problem, because the mux would answer in plain text. No name in a
// path contains a slash, so a path with an encoded slash has no route.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(r.URL.Path, "/") == strings.Count(r.URL.EscapedPath(), "/") {
			if _, pattern := mux.Handler(r); pattern != "" {
				mux.ServeHTTP(w, r)
				return
			}
			other := *r
			for _, other.Method = range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch,
				http.MethodDelete} {
				if _, pattern := mux.Handler(&other); pattern != "" {
					w.Header().Add("Allow", other.Method)
				}
			}
		}
		if w.Header().Get("Allow") != "" {
			writeProblem(w, Problemf(http.StatusMethodNotAllowed, "%s does not allow %s; /docs lists the methods",
				r.URL.Path, r.Method))
			return
		}
		writeProblem(w, Problemf(http.StatusNotFound, "there is nothing at %s; /docs lists the paths", r.URL.Path))
	})
}

func writeProblem(w http.ResponseWriter, p *Problem) { writeJSON(w, p.Status, problemType, p) }

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails when the client is gone
}
