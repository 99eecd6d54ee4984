package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"hooktape/web/api"
)

const (
	maxFormBytes  = 4 << 20 // thousands of event ids
	maxLoginBytes = 64 << 10
)

// formTimeout limits the time to read a form. Tests shorten it.
var formTimeout = 30 * time.Second

func (c *console) loginRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", c.showLogin)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
}

type loginPage struct {
	frame
	To      string // the page to continue to
	Error   string
	Again   string // the address to load immediately
	NoToken bool   // the configuration has no tokens
}

// redirectToLogin sends the browser to the login page, which continues to the requested page, or to the whole page of a
// requested part.
func redirectToLogin(w http.ResponseWriter, r *http.Request) {
	byHTMX := r.Header.Get("HX-Request") != ""
	to := r.URL.RequestURI()
	if r.Method != http.MethodGet || byHTMX {
		to = backOf(r)
	}
	target := "/login"
	if to != "/" {
		target += "?" + url.Values{"to": {to}}.Encode()
	}
	if byHTMX {
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// showLogin shows the login page, or redirects a logged-in user. A link on another site (in a chat) brings a request
// without the session's cookie, because that is SameSite=Strict. So the page has the browser ask again, this time with
// the cookie.
func (c *console) showLogin(w http.ResponseWriter, r *http.Request) {
	to := localPath(r.URL.Query().Get("to"))
	if _, ok := c.session(r); ok {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	page := loginPage{To: to}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && !r.URL.Query().Has("again") {
		page.Again = "/login?" + url.Values{"to": {to}, "again": {"1"}}.Encode()
	}
	c.writeLogin(w, http.StatusOK, page)
}

func (c *console) writeLogin(w http.ResponseWriter, status int, page loginPage) {
	page.Title, page.Version, page.NoToken = "Log in", c.Version, len(c.keys) == 0
	if err := c.write(w, status, "login", "login", page); err != nil {
		c.Logger.Error("the console could not show the login", "error", err)
	}
}

func (c *console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBytes)
	to, remote := localPath(r.PostFormValue("to")), remoteOf(r)
	if !c.Guard.Open(remote) {
		w.Header().Set("Retry-After", api.RetryAfterWrong)
		c.writeLogin(w, http.StatusTooManyRequests, loginPage{To: to,
			Error: "Too many wrong tokens came from your address. Wait half a minute, then try again."})
		return
	}
	user, ok := c.keys.Find(strings.TrimSpace(r.PostFormValue("token")))
	if !ok {
		c.Guard.Fail(api.AtConsole, remote)
		c.writeLogin(w, http.StatusUnauthorized, loginPage{To: to,
			Error: "This token is not in api.tokens of the configuration. Copy it from there without quotes."})
		return
	}
	c.Logger.Info("a user logged in to the console", "token", user.Name, "role", user.Role, "remote_ip", remote)
	http.SetCookie(w, cookieFor(r, c.sessions.begin(user)))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieFor(r, "").Name); err == nil {
		c.sessions.end(cookie.Value)
	}
	http.SetCookie(w, cookieFor(r, ""))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// localPath returns to if it is a path of the console to continue to, else the start page.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return to
}
