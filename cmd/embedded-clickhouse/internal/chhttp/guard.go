package chhttp

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// checkOrigin rejects requests that a web page makes the user's browser send. A page does not know the password, but
// the browser may have stored it and add it.
func checkOrigin(r *http.Request) error {
	browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" ||
		strings.HasPrefix(r.UserAgent(), "Mozilla/")
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if anyAddress(host) || browser && !localHost(host) {
		return codeAccessDenied.errorf("The Host header %q is neither an address of one machine nor localhost.", r.Host)
	}
	// A GET reads data, and no page of another origin may do that: check it like a POST.
	post := *r
	post.Method = http.MethodPost
	if err := new(http.CrossOriginProtection).Check(&post); err != nil {
		return codeAccessDenied.errorf("A web page of another origin sent this request.")
	}
	return nil
}

// localHost reports whether no foreign DNS server answers for a name. A page can make its own name resolve to 127.0.0.1
// (DNS rebinding). It then has our origin, but its requests carry that name.
func localHost(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// anyAddress reports whether host is the unspecified address, such as 0.0.0.0. It leads to this machine, and evades the
// rules by which some browsers keep pages from local addresses. No program has a reason to use it.
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
	return false, codeAuthenticationFailed.errorf("%s: Authentication failed: password is incorrect, or there is no "+
		"user with "+
		"such name.", user)
}

// same compares in constant time: hashing first makes it independent of the lengths too. No password is ever empty.
func same(given, password string) bool {
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && password != ""
}

// credentials returns the user and password, in any of the forms that ClickHouse's clients send.
func credentials(r *http.Request) (user, password string, ok bool) {
	if user, password, ok := r.BasicAuth(); ok {
		return cmp.Or(user, "default"), password, true
	}
	if h := r.Header; h.Values("X-ClickHouse-User") != nil || h.Values("X-ClickHouse-Key") != nil {
		return cmp.Or(h.Get("X-ClickHouse-User"), "default"), h.Get("X-ClickHouse-Key"), true
	}
	q := r.URL.Query()
	return cmp.Or(q.Get("user"), "default"), q.Get("password"), q.Has("user") || q.Has("password")
}
