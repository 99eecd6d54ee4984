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
	mux.HandleFunc("GET "+api.LoginLinkPath, c.showLoginLink)
	mux.HandleFunc("POST "+api.LoginLinkPath, c.loginByLink)
	mux.HandleFunc("POST /logout", c.logout)
}

type loginPage struct {
	frame
	To      string // the page to continue to
	Error   string
	Again   string // the address to load immediately
	NoToken bool   // the configuration has no tokens
	ByLink  bool   // show the form of a one-time link
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
	user, ok := c.keys.Find(strings.TrimSpace(r.PostFormValue("token")))
	c.enter(w, r, "token", user, ok, loginPage{To: localPath(r.PostFormValue("to")),
		Error: "This token is not in api.tokens of the configuration. Copy it from there without quotes."})
}

// showLoginLink shows the page of a one-time link, which waits for its button: a program that looks at every link in a
// message would otherwise use it up, and another site could log a visitor in as somebody else.
func (c *console) showLoginLink(w http.ResponseWriter, _ *http.Request) {
	c.writeLogin(w, http.StatusOK, loginPage{ByLink: true})
}

// loginByLink logs in by the secret of a one-time link. People without JavaScript paste the whole link.
func (c *console) loginByLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBytes)
	link := strings.TrimSpace(r.PostFormValue("link"))
	if _, secret, ok := strings.Cut(link, "#"); ok {
		link = secret
	}
	var user api.Principal
	ok := false
	if c.Guard.Open(remoteOf(r)) { // a refused attempt must not use the link up
		user, ok = c.Direct.UseLoginLink(link)
	}
	c.enter(w, r, "link", user, ok, loginPage{To: "/", ByLink: true,
		Error: "This link was used already, is older than ten minutes, or hooktape was restarted since."})
}

// enter begins a session of a user and continues to a page; without a user it shows the page again.
func (c *console) enter(w http.ResponseWriter, r *http.Request, by string, user api.Principal, ok bool,
	page loginPage) {
	remote := remoteOf(r)
	switch {
	case !c.Guard.Open(remote):
		w.Header().Set("Retry-After", api.RetryAfterWrong)
		page.Error = "Too many wrong tokens came from your address. Wait half a minute, then try again."
		c.writeLogin(w, http.StatusTooManyRequests, page)
	case !ok:
		c.Guard.Fail(api.AtConsole, remote)
		c.writeLogin(w, http.StatusUnauthorized, page)
	default:
		c.endSession(r) // of another role, perhaps
		c.Logger.Info("a user logged in to the console", by, user.Name, "role", user.Role, "remote_ip", remote)
		http.SetCookie(w, cookieFor(r, c.sessions.begin(user)))
		http.Redirect(w, r, page.To, http.StatusSeeOther)
	}
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	c.endSession(r)
	http.SetCookie(w, cookieFor(r, ""))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// localPath returns to if it is a path of the console to continue to, else the start page.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || u.Path == "/login" || u.Path == api.LoginLinkPath ||
		u.Path == "/logout" {
		return "/"
	}
	return to
}
