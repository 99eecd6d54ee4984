package chhttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// checkOrigin refuses what a web page in the user's browser could send to us. Only without a password: then reaching the
// port is all that is needed, and a browser reaches it for any page.
func checkOrigin(r *http.Request) error {
	if !localHost(r.Host) {
		return codeAccessDenied.errorf("The Host header %q is neither an IP address nor localhost. Set a password to allow it.",
			r.Host)
	}
	// A GET reads data, and no page of another origin shall: ask as for a POST.
	post := *r
	post.Method = http.MethodPost
	if err := new(http.CrossOriginProtection).Check(&post); err != nil {
		return codeAccessDenied.errorf("A web page of another origin sent this request. Set a password to allow it.")
	}
	return nil
}

// localHost tells names that no foreign DNS server answers for. A page can have its own name resolve to 127.0.0.1 (DNS
// rebinding) and is then of our origin, but its requests carry that name.
func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// checkPassword takes the ways in which ClickHouse's clients send user and password.
func checkPassword(r *http.Request, password string) error {
	user, given, ok := credentials(r)
	if !ok {
		return codeRequiredPassword.errorf("Authentication is required: no user and password were given.")
	}
	// Hashing first makes the comparison independent of the lengths too.
	want, got := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(want[:], got[:])&subtle.ConstantTimeCompare([]byte(user), []byte("default")) != 1 {
		return codeAuthenticationFailed.errorf("%s: Authentication failed: password is incorrect, or there is no user with "+
			"such name.", user)
	}
	return nil
}

func credentials(r *http.Request) (user, password string, ok bool) {
	if user, password, ok := r.BasicAuth(); ok {
		return orDefault(user), password, true
	}
	if h := r.Header; h.Values("X-ClickHouse-User") != nil || h.Values("X-ClickHouse-Key") != nil {
		return orDefault(h.Get("X-ClickHouse-User")), h.Get("X-ClickHouse-Key"), true
	}
	q := r.URL.Query()
	return orDefault(q.Get("user")), q.Get("password"), q.Has("user") || q.Has("password")
}

func orDefault(user string) string {
	if user == "" {
		return "default"
	}
	return user
}
