package console

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// Options configure a console.
type Options struct {
	// Direct answers the requests. The API shares it.
	Direct *api.Direct
	// Tokens identify the users, as at the API.
	Tokens []api.Token
	// Guard limits wrong tokens. The API shares it.
	Guard *api.Guard
	// Sources returns the configured sources, which may change at any time.
	Sources func() []Source
	// BothelpAccount is the account's name in NAME.bothelp.io; empty if unknown.
	BothelpAccount string
	Version        string
	Logger         *slog.Logger
}

// Source is a source as the console shows it.
type Source struct {
	Name string
	// HookURL is the URL to paste into BotHelp. It contains the token, which is secret.
	HookURL string
	Kind    event.Kind // the kind of its events, if the configuration says so
	Signed  bool       // whether requests must be signed
	Forward *Forward   // nil: bots do not wait for an answer
}

// requestTimeout limits the time for a page. Planning a replay of a million events takes some seconds.
const requestTimeout = 2 * time.Minute

type console struct {
	Options
	keys      api.Keyring
	sessions  *sessions
	templates map[string]*template.Template // by page
	analyzed  atomic.Pointer[analyzed]
}

// New returns the handler of all pages.
func New(o Options) (http.Handler, error) {
	keys, err := api.NewKeyring(o.Tokens)
	if err != nil {
		return nil, err
	}
	c := &console{Options: o, keys: keys, sessions: newSessions()}
	if c.templates, err = parseTemplates(); err != nil {
		return nil, fmt.Errorf("parse the console's templates: %w", err)
	}
	mux := http.NewServeMux()
	c.loginRoutes(mux)
	for pattern, handle := range pages {
		mux.Handle(pattern, c.page(handle))
	}
	for format := range api.RowTypes {
		mux.Handle("GET /events."+format, c.page(func(v *visit) error { return v.downloadEvents(format) }))
		mux.Handle("GET /deliveries."+format, c.page(func(v *visit) error { return v.downloadDeliveries(format) }))
	}
	mux.HandleFunc("GET /assets/{hash}/{name}", serveAsset)
	mux.Handle("/", c.page(func(v *visit) error {
		return api.Problemf(http.StatusNotFound, "there is no page at %s", v.URL.Path)
	}))
	return api.Recover("console", o.Logger, secured(sameOrigin(mux)), func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, api.InternalError, http.StatusInternalServerError)
	}), nil
}

// pages are the pages and forms for logged-in users.
var pages = map[string]func(*visit) error{
	"GET /{$}":                        showEvents,
	"GET /events/newer":               showNewer,
	"GET /events/further":             showFurther,
	"GET /events/chart":               showChart,
	"GET /events/suggestions":         showSuggestions,
	"GET /events/selected":            useSelected,
	"POST /columns":                   saveColumns,
	"GET /accept":                     showAccept,
	"POST /accept":                    accept,
	"POST /views":                     saveView,
	"POST /views/delete":              deleteView,
	"GET /events/{id}":                showEvent,
	"GET /events/{id}/raw":            sendBody,
	"POST /events/{id}/replay":        replayEvent,
	"GET /subscribers/{id}":           showSubscriber,
	"GET /deliveries":                 showDeliveries,
	"GET /deliveries/{id}":            showDelivery,
	"POST /deliveries/retry":          retryDeliveries,
	"GET /replays":                    showReplays,
	"POST /replays":                   createReplay,
	"GET /replays/{id}":               showReplay,
	"GET /replays/{id}/progress":      showProgress,
	"POST /replays/{id}/{action}":     steerReplay,
	"GET /endpoints":                  showEndpoints,
	"GET /endpoints/{name}":           showEndpoint,
	"POST /endpoints/{name}/{action}": steerEndpoint,
	"GET /sources":                    showSources,
	"POST /sources/{name}/reveal":     revealSource,
	"GET /analytics":                  showAnalytics,
	"GET /analytics/people":           showPeople,
	"GET /analytics/{file}":           downloadPanel,
	"GET /audit-log":                  showAuditLog,
	"GET /audit-log.csv":              downloadAuditLog,
	"GET /retention":                  showRetention,
	"GET /storage":                    showStorage,
}

// policy allows a page its own scripts and styles and requests to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets headers that restrict browsers and caches. It also limits the time to read a form. The Referrer-Policy
// is not no-referrer, because then browsers would not tell us either from which page a form was sent.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.Method == http.MethodPost {
			// fails for a test's writer; readForm lifts it
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTimeout))
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin rejects a request that would change something unless one of these pages sent it. Browsers report the
// sender in Sec-Fetch-Site, or, over plain HTTP to another machine, in Origin, which is compared with Host. So a proxy
// without TLS must forward Host.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Nothing was done, because another site sent this request. Open the console and do it there. "+
			"(A proxy in front of hooktape must forward the header Host.)", http.StatusForbidden)
	}))
	return protection.Handler(next)
}
