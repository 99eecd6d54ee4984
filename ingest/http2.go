package ingest

import (
	"net/http"
	"time"
)

const (
	maxStreams   = 32 // at once on a connection: whoever has more opens another, and those are counted
	pingAfter    = 30 * time.Second
	pingPatience = 15 * time.Second
	frameBytes   = 16 << 10 // the least that HTTP/2 allows; each connection keeps a buffer of this size
	windowBytes  = 64 << 10 // of bodies that no handler has read yet, of a connection with all its streams
)

// http2 bounds a connection of HTTP/2. Its requests have the timeouts of all others each (net/http keeps them a stream);
// what is said here is for the connection, which no single request's deadline would end.
func (o Options) http2() *http.HTTP2Config {
	return &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingPatience,
		WriteByteTimeout: o.Timeouts.Write, MaxReadFrameSize: frameBytes, MaxReceiveBufferPerConnection: windowBytes,
		MaxReceiveBufferPerStream: windowBytes}
}

// limited lets as many requests of HTTP/2 be handled at once as there may be connections. The others wait, for what they
// may send meanwhile is bounded by HTTP/2's own flow control; of HTTP/1 a connection carries one request, and the
// listener counts those.
func (s *Server) limited(next http.Handler) http.Handler {
	places := make(chan struct{}, s.options.Limits.MaxConnections)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		case <-r.Context().Done(): // the sender has gone, and nothing of the request was read
		}
	})
}
