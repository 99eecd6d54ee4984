package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"hooktape/internal/event"
)

// KeptBytes is the size of the start of a response that an attempt keeps.
const KeptBytes = 16 << 10

const (
	maxDrainBytes       = 64 << 10 // read beyond that, to reuse the connection
	maxConnectTime      = 5 * time.Second
	idleConnections     = 1024 // to one endpoint; a worker has no more requests in flight
	idleTimeout         = 30 * time.Second
	http2PingAfter      = 15 * time.Second
	http2PingTimeout    = 5 * time.Second
	http2WriteByteLimit = 10 * time.Second
)

// drainPatience is the maximum time to read the rest of a response that is not recorded. It is a variable because tests
// on a loaded machine need longer.
var drainPatience = 250 * time.Millisecond

// Client sends requests to one endpoint. It follows no redirects and uses no proxy. It never connects to hooktape
// itself and, unless the endpoint allows private addresses, to no address outside the public internet. It checks the
// address after the name is resolved, at every dial, so changing a name's address has no effect. It may be used
// concurrently.
type Client struct {
	Endpoint
	http    *http.Client
	untimed *http.Client // the same without a timeout
}

// NewClient returns a client for an endpoint. Its error is a [*setting.Fault] about a file that the endpoint's TLS
// names.
func NewClient(e Endpoint, own *OwnAddresses) (*Client, error) {
	config, err := e.TLS.config()
	if err != nil {
		return nil, err
	}
	c := &Client{Endpoint: e}
	// Connecting gets at most half of the attempt's time, so that a timeout's error says whether the endpoint was
	// reached.
	connectTime := min(maxConnectTime, e.Timeout/2)
	check := func(ctx context.Context, _, address string, _ syscall.RawConn) error {
		return c.checkAddress(ctx, own, address)
	}
	dialer := &net.Dialer{Timeout: connectTime, ControlContext: check}
	c.http = &http.Client{
		Timeout: e.Timeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    connectTime,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    idleConnections,
			IdleConnTimeout:        cmp.Or(e.IdleTimeout, idleTimeout),
			DisableCompression:     true, // a response is kept unchanged
			MaxResponseHeaderBytes: maxResponseHeader,
			// Without pings a connection whose other end vanished would fail one attempt after the other.
			HTTP2: &http.HTTP2Config{SendPingTimeout: http2PingAfter, PingTimeout: http2PingTimeout,
				WriteByteTimeout: http2WriteByteLimit},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.untimed = &http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect}
	return c, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Send makes one attempt with r and reads the response. It keeps the first 16 KiB of the body.
func (c *Client) Send(r *http.Request) Answer {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	response, err := c.Do(r.WithContext(ctx))
	if failed, ok := errors.AsType[*Error](err); ok {
		return Answer{Outcome: failed.Outcome, Err: failed.Text}
	}
	defer response.Body.Close()
	a := Classify(response)
	if response.StatusCode == http.StatusSwitchingProtocols {
		return a // another protocol follows, without an end
	}
	a.Body, err = io.ReadAll(io.LimitReader(response.Body, KeptBytes))
	if err != nil && a.Outcome == event.OutcomeDelivered {
		// The status says that the receiver has the event, and another attempt would send it twice. The body is only
		// for people.
		a.Err = "answered " + clip(response.Status) + ", then: " + err.Error()
	}
	if err == nil && drain(response.Body, cancel) > 0 && a.Outcome == event.OutcomeDelivered {
		a.Err = fmt.Sprintf("answered %s with a body of more than %d KiB, of which the start is kept",
			clip(response.Status), KeptBytes>>10)
	}
	return a
}

// Do makes one attempt with r and returns the response as soon as its header has arrived; [Classify] says what it
// means. The caller reads the body as it arrives, and closes it. The endpoint's timeout includes reading the body,
// unless the request's context has a deadline, which then applies instead. An error of Do, or of reading the body, is
// an [*Error].
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	seen := &progress{}
	onlyOnce(r)
	client := c.http
	if _, bounded := r.Context().Deadline(); bounded {
		client = c.untimed // a second timer costs more than it says
	}
	response, err := client.Do(r.WithContext(seen.watch(r.Context())))
	if err != nil {
		return nil, explain(err, seen.stage(), c.Timeout)
	}
	response.Body = &body{response.Body, c.Timeout}
	return response, nil
}

// body explains the errors of reading a response.
type body struct {
	io.ReadCloser
	timeout time.Duration
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	n, err = b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = explain(err, inBody, b.timeout)
	}
	return n, err
}

// onlyOnce prevents net/http from repeating a request on its own, as an attempt that is not recorded.
// net/http repeats two kinds of requests when a reused connection breaks: a GET without a body, or with one that it can
// read again; and a request with an Idempotency-Key. It looks for the canonical spelling of the key only, and for
// receivers case does not matter.
func onlyOnce(r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		r.GetBody = nil
		if r.Body == nil || r.Body == http.NoBody {
			r.Body = io.NopCloser(strings.NewReader("")) // net/http sees that it is empty, and sends no body
		}
	}
	for _, canonical := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := r.Header[canonical]; ok {
			delete(r.Header, canonical)
			r.Header[strings.ToLower(canonical)] = values
		}
	}
}

// drain reads the rest of a response and returns its length. The connection is reused only if the rest is short and
// arrives immediately.
func drain(body io.Reader, cancel context.CancelFunc) int64 {
	defer time.AfterFunc(drainPatience, cancel).Stop()
	n, _ := io.CopyN(io.Discard, body, maxDrainBytes)
	return n
}

// Probe connects to the endpoint like an attempt and sends nothing: the name must resolve, the address must be allowed
// and, with https, the certificate valid. Probe returns when that certificate expires; the zero time without https.
func (c *Client) Probe(ctx context.Context) (expires time.Time, err error) {
	host, port, err := c.hostPort()
	if err != nil {
		return time.Time{}, err
	}
	transport := c.http.Transport.(*http.Transport)
	conn, err := transport.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	if !strings.HasPrefix(c.URL, "https:") {
		return time.Time{}, nil
	}
	config := transport.TLSClientConfig.Clone()
	config.ServerName = cmp.Or(config.ServerName, host)
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return time.Time{}, err
	}
	return secure.ConnectionState().PeerCertificates[0].NotAfter, nil
}
