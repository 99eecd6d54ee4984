// Package serve runs an HTTP server until it is told to end.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Until serves until ctx ends. Requests in flight then have so long to end; those that do not are cut, and the error is
// [context.DeadlineExceeded].
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
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}
