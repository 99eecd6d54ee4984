// Package serve runs an HTTP server until a context ends.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Until answers requests, in TLS if the server has a TLSConfig, until ctx ends. Requests in flight then have until the grace is
// over; the error is [context.DeadlineExceeded] if they took longer and were cut off.
func Until(ctx context.Context, server *http.Server, listener net.Listener, grace time.Duration) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err := server.Shutdown(ending)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		stopped <- err
	})
	answer := server.Serve
	if server.TLSConfig != nil {
		answer = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := answer(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}
