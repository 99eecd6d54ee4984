package replay

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Probe connects to an endpoint as a delivery would, and sends nothing: the name must resolve, the address be allowed, and
// with https the certificate be right. It returns when that certificate ends; zero without one.
func Probe(ctx context.Context, e Endpoint, own *Own) (certificateEnds time.Time, err error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return time.Time{}, invalid("%v", err)
	}
	client, err := newClient(e, own)
	if err != nil {
		return time.Time{}, err
	}
	transport := client.Transport.(*http.Transport)
	conn, err := transport.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), portOf(u)))
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return time.Time{}, nil
	}
	config := transport.TLSClientConfig.Clone()
	config.ServerName = cmp.Or(config.ServerName, u.Hostname())
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return time.Time{}, err
	}
	return secure.ConnectionState().PeerCertificates[0].NotAfter, nil
}
