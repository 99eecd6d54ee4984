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
	s := &server{direct: o.Direct, keys: keys, guard: o.Guard, logger: o.Logger, streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	probes(mux, o.Failing, o.Broken)
	s.api = humago.New(mux, configuration(cmp.Or(o.Version, "unknown")))
	s.describe()
	s.events()
	s.endpoints()
	s.replays()
	s.streamRoute()
	s.diff()
	s.audit()
	if err := documentation(mux, s.api.OpenAPI()); err != nil {
		return nil, err
	}
	return Recovered("API", o.Logger, harmless(routed(mux)), func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem(http.StatusInternalServerError, "hooktape could not do that; its log says why"))
	}), nil
}

// harmless keeps browsers from making more of an answer than it is, and caches from keeping it. It ends what takes too long
// on either side; a stream moves its own deadline on.
func harmless(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second)) // a test's writer has none
		next.ServeHTTP(w, r)
	})
}

// routed answers a request without a route with a problem; the mux itself answers in plain text. No name in a path has a
// slash, so an encoded one leads nowhere.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(r.URL.Path, "/") == strings.Count(r.URL.EscapedPath(), "/") {
			if _, pattern := mux.Handler(r); pattern != "" {
				mux.ServeHTTP(w, r)
				return
			}
			other := *r
			for _, other.Method = range []string{http.MethodGet, http.MethodPost, http.MethodPatch} {
				if _, pattern := mux.Handler(&other); pattern != "" {
					w.Header().Add("Allow", other.Method)
				}
			}
		}
		if w.Header().Get("Allow") != "" {
			writeProblem(w, problem(http.StatusMethodNotAllowed, "%s does not go with %s; /docs tells what does", r.Method, r.URL.Path))
			return
		}
		writeProblem(w, problem(http.StatusNotFound, "there is nothing at %s; /docs tells what there is", r.URL.Path))
	})
}

func writeProblem(w http.ResponseWriter, p *Problem) { writeJSON(w, p.Status, problemType, p) }

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // nobody waits for the answer any more
}
