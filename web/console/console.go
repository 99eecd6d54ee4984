package console

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// Options are what a console is made of.
type Options struct {
	// Direct answers; the API has the same one.
	Direct *api.Direct
	// Tokens let their bearers in, as they do at the API.
	Tokens []api.Token
	// Guard limits wrong tokens; the API has the same one. Without one the console has its own.
	Guard *api.Guard
	// Sources are the configured ones, as they are now.
	Sources func() []Source
	// BothelpAccount is the account's name in NAME.bothelp.io; empty when it is not known.
	BothelpAccount string
	Version        string
	Logger         *slog.Logger
}

// Source is a place that BotHelp posts to.
type Source struct {
	Name string
	// HookURL is what a person pastes into BotHelp, with the token, which is a secret.
	HookURL string
	Kind    event.Kind // what it sends, when the configuration says so
	Signed  bool       // whether requests must be signed
}

// requestTimeout is as long as a page may take. Planning a replay of a million events takes some seconds.
const requestTimeout = 2 * time.Minute

type console struct {
	Options
	keys     api.Keyring
	sessions *sessions
	pages    map[string]*template.Template
}

// New makes the handler of all pages.
func New(o Options) (http.Handler, error) {
	keys, err := api.NewKeyring(o.Tokens)
	if err != nil {
		return nil, err
	}
	if o.Guard == nil {
		o.Guard = api.NewGuard(o.Logger)
	}
	c := &console{Options: o, keys: keys, sessions: newSessions()}
	if c.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("the console's templates: %w", err)
	}
	mux := http.NewServeMux()
	c.loginRoutes(mux)
	c.eventsRoutes(mux)
	c.eventRoutes(mux)
	c.subscriberRoutes(mux)
	c.replaysRoutes(mux)
	c.endpointsRoutes(mux)
	c.sourcesRoutes(mux)
	mux.Handle("GET /assets/{hash}/{name}", http.HandlerFunc(serveAsset))
	mux.Handle("/", c.page(func(v *visit) error {
		return notFound("there is no page at %s; the events are at the start page", v.URL.Path)
	}))
	return api.Recovered("console", o.Logger, harmless(sameOrigin(mux)), func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "hooktape could not do that; its log says why", http.StatusInternalServerError)
	}), nil
}

// policy lets a page load its own script and style, ask its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// harmless keeps browsers from making more of a page than it is, and caches from keeping it. The referrer goes to these
// pages alone; with no-referrer browsers would hide from us, too, where a form was sent from.
func harmless(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTime)) // a writer without one is a test's; readForm takes it back
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what would change something and was not sent by one of these pages. Browsers say where a request
// comes from, by Sec-Fetch-Site or, over plain HTTP to another machine, by Origin, which is compared with Host: so a
// proxy without TLS must pass Host on.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This was sent from another site, so nothing was done. Open the console and do it there. "+
			"(A proxy in front must pass the header Host on.)", http.StatusForbidden)
	}))
	return protection.Handler(next)
}
