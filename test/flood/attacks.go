package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	idleConnections = 4200
	slowConnections = 4096
	slowBytes       = 65 << 10
	largeRequests   = 1000
	largeBytes      = 1 << 20
	addresses       = 16
)

// idle holds connections from one address.
func idle(ctx context.Context, t *target) {
	t.crowd(ctx, idleConnections, 1, untilClosed)
}

// untilClosed reads until the server closes, which is an error.
func untilClosed(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	return errors.Join(err, io.EOF)
}

// headers sends endless headers of many short lines, which take far more memory than bytes.
func headers(ctx context.Context, t *target) {
	var text strings.Builder
	text.WriteString("POST /hooks/nobody/nothing HTTP/1.1\r\nHost: h\r\n")
	for i := 0; text.Len() < 60<<10; i++ {
		fmt.Fprintf(&text, "%x:\r\n", i)
	}
	t.crowd(ctx, 2000, addresses, func(c net.Conn) error {
		if _, err := io.WriteString(c, text.String()); err != nil {
			return err
		}
		return untilClosed(c)
	})
}

// slowBodies sends nearly all of a body quickly, and the rest too slowly to end.
func slowBodies(ctx context.Context, t *target, path string) {
	from := addresses
	if path == hook {
		from = 1 // the sender with the token
	}
	begin := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", path, slowBytes)
	most := bytes.Repeat([]byte("x"), slowBytes-1000)
	t.crowd(ctx, slowConnections, from, func(c net.Conn) error {
		if _, err := io.WriteString(c, begin); err != nil {
			return err
		}
		if _, err := c.Write(most); err != nil {
			return err
		}
		return trickle(ctx, c)
	})
}

// trickle sends a byte a second until the server closes.
func trickle(ctx context.Context, c net.Conn) error {
	closed := make(chan error, 1)
	go func() { closed <- untilClosed(c) }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-ctx.Done():
			c.Close()
			<-closed
			return nil
		case <-ticker.C:
			if _, err := c.Write([]byte("x")); err != nil {
				c.Close()
				return <-closed
			}
		}
	}
}

// largeBodies sends large bodies, repeatedly and in parallel.
func largeBodies(ctx context.Context, t *target) {
	request := append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", hook, largeBytes),
		bytes.Repeat([]byte("x"), largeBytes)...)
	t.crowd(ctx, largeRequests, 1, func(c net.Conn) error {
		for {
			if _, err := c.Write(request); err != nil {
				return err
			}
			answer := make([]byte, 4096)
			if n, err := c.Read(answer); err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200")) {
				return errors.Join(err, io.EOF)
			}
		}
	})
}
