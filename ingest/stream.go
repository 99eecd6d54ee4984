package ingest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// listener accepts the admitted connections, as streams.
type listener struct {
	net.Listener
	server *Server
	tls    *tls.Config // nil is plain HTTP
}

// Accept returns the next admitted connection.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.server.connections.admit(raw); c != nil {
			s := &stream{Conn: c, counted: c, server: l.server,
				framing: framing{longest: l.server.options.Limits.MaxHeaderBytes}}
			if l.tls != nil {
				s.below = &encrypted{conn: c}
				s.Conn = tls.Server(s.below, l.tls)
			}
			return s, nil
		}
		raw.Close()
	}
}

// http1 returns a TLS configuration that does not offer HTTP/2. A sender of webhooks has no use for it, and framing can
// read only HTTP/1.
func http1(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(protocol string) bool {
		return protocol == "h2"
	})
	return config
}

// stream is the connection that net/http reads: HTTP/1 in the clear, decrypted if the listener speaks TLS, and framed.
// It shakes hands when it is first read, under net/http's deadline for a header.
type stream struct {
	net.Conn // counted, or TLS above it
	counted  *conn
	below    *encrypted // what TLS reads; nil is plain HTTP
	server   *Server
	begun    bool // the first byte was read
	framing  framing
	ready    []byte // passed by framing, and not read by net/http yet
	ended    bool   // the sender has closed it
	handled  bool   // a handler has the request; used only by net/http's goroutine of the connection
	lingered bool   // CloseWrite was called; used only by the same goroutine
}

// Read returns the bytes that framing passes.
func (s *stream) Read(p []byte) (int, error) {
	if s.below != nil && !s.begun {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	for len(s.ready) == 0 {
		if s.framing.refused != nil {
			return 0, s.framing.refused // net/http answers with 400 and closes
		}
		n, err := s.Conn.Read(p)
		s.ended = err == io.EOF
		if err != nil && s.below != nil && err != io.EOF {
			err = &net.OpError{Op: "read", Err: err} // net/http closes without an answer: none could be sent
		}
		seen, header := s.framing.check(p[:n])
		if err := s.counted.arrive(arrivalCost * int64(header)); err != nil {
			return 0, err
		}
		if len(seen) <= len(p) && (len(seen) > 0 || err != nil) {
			return copy(p, seen), err
		}
		s.ready = seen
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// handshakeRecord is the first byte of a TLS connection (RFC 8446, section 5.1).
const handshakeRecord = 22

// begin shakes hands. A sender that speaks plain HTTP to a TLS listener is answered and audited.
func (s *stream) begin() error {
	s.begun = true
	first := make([]byte, malformedBytes)
	n, err := s.counted.Read(first)
	if err != nil {
		return err
	}
	if first[0] != handshakeRecord {
		s.framing.check(first[:n])
		s.server.malformed(s.counted, s.framing.next())
		_, _ = io.WriteString(s.counted, needsTLS) // the connection ends either way
		_ = s.CloseWrite()
		return io.EOF
	}
	s.below.first = first[:n]
	if err := s.Conn.(*tls.Conn).Handshake(); err != nil {
		s.server.noHandshake(s.counted, err)
		return &net.OpError{Op: "read", Err: err}
	}
	return nil
}

const needsTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
	"this port speaks TLS: the URL must begin with https://\n"

// noHandshake logs a failed handshake. Port scanners cause them too, but a sender that does not trust the certificate
// leaves no other trace.
func (s *Server) noHandshake(c *conn, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return // the client has left, as port scanners do
	}
	s.handshakes.Do(func() {
		s.logger.Warn("a TLS handshake failed; its client could send nothing", "client", c.RemoteAddr().String(),
			"error", err)
	})
}

// encrypted is the connection that TLS reads. It reserves memory for the unfinished handshake or record that TLS
// buffers.
type encrypted struct {
	*conn
	first []byte // already read from conn
}

func (e *encrypted) Read(b []byte) (n int, err error) {
	if len(e.first) > 0 {
		n = copy(b, e.first)
		if e.first = e.first[n:]; len(e.first) == 0 {
			e.first = nil // frees the buffer
		}
	} else if n, err = e.conn.Read(b); err != nil {
		return n, err
	}
	return n, e.arrive(recordCost * int64(n))
}

// Write writes. An answer of net/http without a handler refuses a request: Write audits it, and replaces the answer by
// one that says what to do. If the sender left before the end of its head there is no request.
func (s *stream) Write(p []byte) (int, error) {
	if s.handled {
		return s.Conn.Write(p)
	}
	s.handled = true
	refused := s.framing.next()
	if !s.ended {
		s.server.malformed(s.counted, refused)
	}
	if _, err := s.Conn.Write(refusal(p, refused.start, s.framing.refused,
		s.server.options.Limits.MaxHeaderBytes)); err != nil {
		return 0, err
	}
	_ = s.CloseWrite() // it is closed either way
	return len(p), nil
}

// SetReadDeadline also sets the deadline for TLS's writes during net/http's reads: its part of a handshake, and answers
// to key updates. A handler's request has a separate deadline for writing.
func (s *stream) SetReadDeadline(t time.Time) error {
	if s.below != nil && !s.handled {
		return s.Conn.SetDeadline(t)
	}
	return s.Conn.SetReadDeadline(t)
}

// lingers is the time that a client has to read the answer if its request was not read to the end.
const lingers = 2 * time.Second

// CloseWrite closes the writing side, and discards what the client sends until it closes too. Closing a connection with
// unread bytes resets it, and a client that is still sending may then miss its answer (RFC 9112, section 9.6). net/http
// calls it when it leaves a body unread. Meanwhile the connection may be closed in favour of another.
func (s *stream) CloseWrite() error {
	if s.lingered {
		return nil
	}
	s.lingered = true
	s.counted.connections.state(s.counted, http.StateIdle)
	if secure, ok := s.Conn.(*tls.Conn); ok {
		_ = secure.CloseWrite() // fails without a handshake
	}
	if tcp, ok := s.counted.Conn.(*net.TCPConn); ok {
		if err := tcp.CloseWrite(); err != nil {
			return err
		}
	}
	if err := s.counted.SetReadDeadline(time.Now().Add(lingers)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, s.counted)
	return err
}

// state follows the stream through net/http's states.
func (s *stream) state(state http.ConnState) {
	if state == http.StateIdle {
		s.handled = false
	}
	s.counted.connections.state(s.counted, state)
}
