package chhttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// checkOrigin refuses what a web page in the user's browser sends. A page does not know the password, but a browser may have
// stored it, and adds it by itself.
func checkOrigin(r *http.Request) error {
	browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" || strings.HasPrefix(r.UserAgent(), "Mozilla/")
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if anyAddress(host) || browser && !localHost(host) {
		return codeAccessDenied.errorf("The Host header %q is neither an address of one machine nor localhost.", r.Host)
	}
	// A GET reads data, and no page of another origin shall: ask as for a POST.
	post := *r
	post.Method = http.MethodPost
	if err := new(http.CrossOriginProtection).Check(&post); err != nil {
		return codeAccessDenied.errorf("A web page of another origin sent this request.")
	}
	return nil
}

// localHost tells names that no foreign DNS server answers for. A page can have its own name resolve to 127.0.0.1 (DNS
// rebinding) and is then of our origin, but its requests carry that name.
func localHost(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// anyAddress tells names of the unspecified address, such as 0.0.0.0. It leads to this machine, and past the rules by which
// some browsers keep pages from local addresses. No program has a reason to use it.
func anyAddress(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsUnspecified() || host == "0"
}

// authenticate checks user and password, and reports whether the user only reads.
func (s *Server) authenticate(r *http.Request) (reader bool, err error) {
	user, given, ok := credentials(r)
	if !ok {
		return false, codeRequiredPassword.errorf("Authentication is required: no user and password were given.")
	}
	if user == "default" && same(given, s.Password) {
		return false, nil
	}
	if user == "reader" && same(given, s.ReaderPassword) {
		return true, nil
	}
	return false, codeAuthenticationFailed.errorf("%s: Authentication failed: password is incorrect, or there is no user with "+
		"such name.", user)
}

// same compares in a time that tells nothing: hashing first makes it independent of the lengths too. No password is ever empty.
func same(given, password string) bool {
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && password != ""
}

// credentials takes the ways in which ClickHouse's clients send user and password.
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
