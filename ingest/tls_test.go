package ingest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
)

// TestTLS verifies that TLS changes nothing in an event, that its span records the scheme, and that HTTP/2 is not
// offered, whatever the certificate's source configures.
func TestTLS(t *testing.T) {
	spans.Reset()
	s := newServer(t, encrypted)
	transport := &http.Transport{TLSClientConfig: s.client, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	const body = `{"name":"Доп данные", "user_id": 1.0}`
	response, err := client.Post("https://"+s.addr+"/hooks/demo/"+token+"/st%41rt?lang=ru", "application/ json",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != 200 || response.ProtoMajor != 1 || !strings.Contains(string(answer), `"id":"`) {
		t.Errorf("%s %s %s", response.Proto, response.Status, answer)
	}
	e := s.one()
	if string(e.Body) != body || e.Verdict != event.Accepted || e.Path != "/hooks/demo/***/st%41rt" ||
		e.Step != "stArt" || e.Query != "lang=ru" || e.RemoteIP.String() != "127.0.0.1" ||
		!slices.Equal(headerOf(e, "Host"), []string{s.addr}) ||
		!slices.Equal(headerOf(e, "Content-Type"), []string{"application/ json"}) {
		t.Errorf("captured %+v", e)
	}
	client.CloseIdleConnections()
	s.stop()
	attributes := map[string]string{}
	for _, kv := range spans.GetSpans()[0].Attributes {
		attributes[string(kv.Key)] = kv.Value.String()
	}
	if attributes["url.scheme"] != "https" || attributes["network.protocol.version"] != "1.1" {
		t.Errorf("span attributes %v", attributes)
	}
	assertNoToken(t, "the log", s.log.String())
}

// narrow is a listener whose connections have small send buffers.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetWriteBuffer(1)
}

// TestHandshakeUnread verifies that a client that does not read the server's part of a handshake loses its connection
// as soon as a client that sends nothing.
func TestHandshakeUnread(t *testing.T) {
	s := newServer(t, func(c *config) {
		encrypted(c)
		c.options.Timeouts.ReadHeader = 300 * time.Millisecond
		c.listener = func(l net.Listener) net.Listener { return narrow{l} }
		certificate := &c.options.TLS.Certificates[0]
		for range 200 { // a chain longer than the sockets' buffers
			certificate.Certificate = append(certificate.Certificate, certificate.Certificate[0])
		}
	})
	// runs before the connection has its window
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return errors.Join(raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
		}))
	}}
	raw, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	hello := &helloOnly{Conn: raw}
	_ = tls.Client(hello, s.client).Handshake()
	testutil.Eventually(t, func() error {
		if _, err := raw.Write([]byte{0}); err == nil {
			return errors.New("the connection is open")
		}
		return nil
	})
}

// helloOnly makes a TLS client send a hello and read no answer.
type helloOnly struct{ net.Conn }

func (*helloOnly) Read([]byte) (int, error) { return 0, io.EOF }

// TestScheme verifies that without TLS only a trusted proxy can set the scheme.
func TestScheme(t *testing.T) {
	for _, c := range []struct {
		change func(*config)
		header string
		want   string
	}{
		{nil, "X-Other: x", "http"}, {nil, "X-Forwarded-Proto: https", "http"},
		{trusting, "X-Forwarded-Proto: https", "https"}, {trusting, "X-Forwarded-Proto: gopher", "http"},
	} {
		spans.Reset()
		s := newServer(t, c.change)
		s.post("/hooks/demo/"+token, "{}", c.header)
		s.one()
		s.stop()
		said := attribute.NewSet(spans.GetSpans()[0].Attributes...)
		if scheme, _ := said.Value("url.scheme"); scheme.AsString() != c.want {
			t.Errorf("%s: %q, want %s", c.header, scheme.AsString(), c.want)
		}
	}
}
