package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"hooktape/event"
)

// TestCheckAddress is a list of addresses that deliveries may and may not go to.
func TestCheckAddress(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "::ffff:169.254.169.254",
		"10.1.2.3", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "ff02::1", "224.0.0.1",
		"255.255.255.255"} {
		if checkAddress(net.JoinHostPort(addr, "80")) == nil {
			t.Errorf("%s is allowed", addr)
		}
	}
	for _, addr := range []string{"8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8"} {
		if err := checkAddress(net.JoinHostPort(addr, "80")); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckAddressWithin: an address that carries another one in it leads to that one.
func TestCheckAddressWithin(t *testing.T) {
	for _, addr := range []string{"64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "::127.0.0.1", "0.1.2.3", "192.0.0.1", "198.18.0.1",
		"240.0.0.1", "fec0::1"} {
		if checkAddress(net.JoinHostPort(addr, "80")) == nil {
			t.Errorf("%s is allowed", addr)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://example.com", "https://example.com:8443/a?b=c", "http://[2001:db8::1]:80/", "http://пример.рф/", "HTTP://EXAMPLE.COM/"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "http://", "http:///path", "http://:80/",
		"http://example.com:99999/", "http://example.com:0/", "http://exa mple.com", "http://user:secret@example.com/", "http://example.com/\x00"} {
		err := CheckURL(bad)
		if err == nil {
			t.Errorf("%q is taken", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", bad, err)
		}
	}
}

// sendWithin makes one attempt that may take only so long.
func sendWithin(t *testing.T, d time.Duration, url string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(true)
	defer client.CloseIdleConnections()
	return send(client, r)
}

func TestSlowEndpoints(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/body" {
			fmt.Fprint(w, "part")
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	a := sendWithin(t, 100*time.Millisecond, server.URL)
	if a.outcome != event.OutcomeTimeout || a.status != 0 || !a.retryable() || !strings.HasPrefix(a.err, "no whole answer within") {
		t.Errorf("no answer: %+v", a)
	}
	a = sendWithin(t, 100*time.Millisecond, server.URL+"/body")
	if a.outcome != event.OutcomeTimeout || a.status != 200 || string(a.body) != "part" || !a.retryable() ||
		!strings.HasPrefix(a.err, "answered 200 OK, then: no whole answer within") {
		t.Errorf("half an answer: %+v", a)
	}
}

// TestConnectingTimesOut: who looks after the endpoint must see that it was never reached.
func TestConnectingTimesOut(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 443}
	outcome, text := describe(&net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: os.ErrDeadlineExceeded})
	if outcome != event.OutcomeNoConn || !strings.Contains(text, "203.0.113.1:443") {
		t.Errorf("%s %q", outcome, text)
	}
}

// TestDialErrorWithoutAddress: not every failed dial has got as far as an address.
func TestDialErrorWithoutAddress(t *testing.T) {
	a := sendWithin(t, time.Second, "http://127.0.0.1:99999/")
	if a.outcome != event.OutcomeNoConn || !strings.Contains(a.err, "port") {
		t.Errorf("%+v", a)
	}
}

func TestRetryDelay(t *testing.T) {
	for _, c := range []struct {
		number uint32
		most   time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {5, 16 * time.Second}, {9, 256 * time.Second}, {10, 5 * time.Minute}, {1000, 5 * time.Minute}} {
		longest := time.Duration(0)
		for range 2000 {
			d := retryDelay(c.number)
			if d <= 0 || d > c.most+time.Millisecond {
				t.Fatalf("after attempt %d: %s", c.number, d)
			}
			longest = max(longest, d)
		}
		if longest < c.most*9/10 {
			t.Errorf("after attempt %d: never longer than %s, want up to %s", c.number, longest, c.most)
		}
	}
}
