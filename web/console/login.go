package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"hooktape/web/api"
)

const (
	maxFormBytes  = 4 << 20 // the ids of chosen events
	maxLoginBytes = 64 << 10
)

// formTime is how long a form may take to be read.
var formTime = 30 * time.Second

func (c *console) loginRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", c.askLogin)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
}

type loginPage struct {
	frame
	To      string // where one wanted to go
	Error   string
	Again   string // where to go at once, to be recognized
	NoToken bool   // the configuration has none
}

// toLogin leads to the login page, and from there on to where one wanted. A part of a page has the whole page go.
func toLogin(w http.ResponseWriter, r *http.Request) {
	to := r.URL.RequestURI()
	if r.Method != http.MethodGet || r.Header.Get("HX-Request") != "" {
		to = backOf(r)
	}
	target := "/login"
	if to != "/" {
		target += "?" + url.Values{"to": {to}}.Encode()
	}
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// askLogin shows the login page, unless one is logged in. Who comes from a page of another site (a link in a chat) comes
// without the session's cookie, for it is SameSite=Strict: a page of ours has the browser ask again, with it.
func (c *console) askLogin(w http.ResponseWriter, r *http.Request) {
	to := local(r.URL.Query().Get("to"))
	if _, ok := c.session(r); ok {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	page := loginPage{To: to}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && !r.URL.Query().Has("again") {
		page.Again = "/login?" + url.Values{"to": {to}, "again": {"1"}}.Encode()
	}
	c.showLogin(w, r, http.StatusOK, page)
}

func (c *console) showLogin(w http.ResponseWriter, r *http.Request, status int, page loginPage) {
	page.Title, page.Version, page.NoToken = "Log in", c.Version, len(c.keys) == 0
	if err := c.write(w, status, "login", "login", page); err != nil {
		c.Logger.Error("the console could not show the login", "error", err)
	}
}

func (c *console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBytes)
	to, remote := local(r.PostFormValue("to")), remoteOf(r)
	if !c.Guard.Open(remote) {
		w.Header().Set("Retry-After", api.TryAgainAfter)
		c.showLogin(w, r, http.StatusTooManyRequests, loginPage{To: to, Error: "Too many wrong tokens came from your address. Wait half a minute, then try again."})
		return
	}
	who, ok := c.keys.Find(strings.TrimSpace(r.PostFormValue("token")))
	if !ok {
		c.Guard.Fail(api.DoorConsole, remote)
		c.showLogin(w, r, http.StatusUnauthorized, loginPage{To: to, Error: "That is no token of api.tokens in the configuration. Copy it from there without quotes."})
		return
	}
	c.Logger.Info("a login to the console", "token", who.Name, "role", who.Role, "remote_ip", remote)
	http.SetCookie(w, cookieOf(r, c.sessions.begin(who)))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieOf(r, "").Name); err == nil {
		c.sessions.end(cookie.Value)
	}
	http.SetCookie(w, cookieOf(r, ""))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local is a path of ours to go on to; the start page in place of anything else.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") ||
		u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return to
}
