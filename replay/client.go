package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"hooktape/internal/event"
)

const (
	maxResponseBytes    = 16 << 10 // kept
	maxResponseHeader   = 64 << 10
	maxDrainBytes       = 64 << 10 // read beyond that, to use the connection again
	maxConnectTime      = 5 * time.Second
	idleConnections     = 64 // at least; a replay may have more workers than the endpoint has live
	idleTimeout         = 30 * time.Second
	http2PingAfter      = 15 * time.Second
	http2PingTimeout    = 5 * time.Second
	http2WriteByteLimit = 10 * time.Second
)

// drainPatience is how long an answer may take beyond what is kept of it. A variable, because a loaded machine that tests needs longer.
var drainPatience = 250 * time.Millisecond

// newClient makes the client for the deliveries to an endpoint, live and in replays: no redirects, no proxy, the
// endpoint's TLS, no connection to hooktape itself, and, unless the endpoint allows private addresses, none to an address that is
// not on the public internet. The address is looked at after the name is resolved, at every dial, so that a name whose address
// changes gains nothing.
//
// Its timeout is the endpoint's, for the whole attempt. Connecting gets at most half of it, so that who reads the error
// sees whether the endpoint was reached.
func newClient(e Endpoint, own *Own) (*http.Client, error) {
	secure, err := e.TLS.config()
	if err != nil {
		return nil, err
	}
	connectTime := min(maxConnectTime, e.Timeout/2)
	dialer := &net.Dialer{Timeout: connectTime, ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
		return checkTarget(ctx, &e, own, address)
	}}
	return &http.Client{
		Timeout: e.Timeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        secure,
			TLSHandshakeTimeout:    connectTime,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    max(e.Concurrency, idleConnections),
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true, // the answer is kept as it came
			MaxResponseHeaderBytes: maxResponseHeader,
			// A connection whose other end has gone without a word would else fail one attempt after the other.
			HTTP2: &http.HTTP2Config{SendPingTimeout: http2PingAfter, PingTimeout: http2PingTimeout, WriteByteTimeout: http2WriteByteLimit},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// send makes one attempt, which is one request.
func send(client *http.Client, r *http.Request) answer {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	way := &progress{}
	onlyOnce(r)
	response, err := client.Do(r.WithContext(way.watch(ctx)))
	if err != nil {
		outcome, text := describe(err, way.stage(), client.Timeout)
		return answer{outcome: outcome, err: text}
	}
	defer response.Body.Close()
	a := answerOf(response)
	if response.StatusCode == http.StatusSwitchingProtocols {
		return a // what follows is another protocol, and has no end
	}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err != nil && a.outcome == event.OutcomeDelivered {
		// The status says that the receiver has it: sent again, it would have it twice. What became of the body is for people to read.
		_, text := describe(err, inBody, client.Timeout)
		a.err = "answered " + clip(response.Status) + ", then: " + text
	}
	if err == nil && drain(response.Body, cancel) > 0 && a.outcome == event.OutcomeDelivered {
		a.err = fmt.Sprintf("answered %s with a body of more than %d KiB, of which the start is kept", clip(response.Status), maxResponseBytes>>10)
	}
	return a
}

// onlyOnce keeps net/http from sending a request again by itself: one with an Idempotency-Key it repeats when a
// connection that was used before breaks, which would be an attempt that nobody notes. It looks for the canonical
// spelling alone; to the receiver a header's case means nothing.
func onlyOnce(r *http.Request) {
	for canonical, plain := range map[string]string{"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key"} {
		if values, there := r.Header[canonical]; there {
			delete(r.Header, canonical)
			r.Header[plain] = values
		}
	}
}

// drain reads the rest of a response and returns how much that was. The connection is used again only if the rest is short and
// arrives at once.
func drain(body io.Reader, cancel context.CancelFunc) int64 {
	defer time.AfterFunc(drainPatience, cancel).Stop()
	n, _ := io.CopyN(io.Discard, body, maxDrainBytes)
	return n
}
