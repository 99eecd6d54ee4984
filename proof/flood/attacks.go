package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	idleConnections = 4200
	slowConnections = 4096
	slowBytes       = 65 << 10
	h2Connections   = 700
	h2Streams       = 32
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

// headers sends headers of many short lines, which take far more memory than bytes, and never ends them.
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

// slowBodies sends nearly all of a body at once, and the rest so slowly that it never ends.
func slowBodies(ctx context.Context, t *target, path string) {
	from := addresses
	if path == hook {
		from = 1 // who has the token
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

// largeBodies sends large bodies all at once, again and again.
func largeBodies(ctx context.Context, t *target) {
	request := append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", hook, largeBytes), bytes.Repeat([]byte("x"), largeBytes)...)
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

// streams opens streams of HTTP/2 with bodies that never end, as far as flow control lets it.
func streams(ctx context.Context, t *target, path string) {
	from := addresses
	if path == hook {
		from = 1
	}
	t.crowd(ctx, h2Connections, from, func(c net.Conn) error {
		if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
			return err
		}
		f := newFlow(http2.NewFramer(c, c))
		closed := make(chan error, 1)
		go func() { closed <- f.read() }()
		err := f.send(path)
		if err != nil {
			c.Close()
		}
		return errors.Join(err, <-closed)
	})
}

// flow is the sending side of a connection of HTTP/2.
type flow struct {
	*http2.Framer
	mu     sync.Mutex // of all
	more   *sync.Cond
	window int
	ended  error
}

func newFlow(framer *http2.Framer) *flow {
	f := &flow{Framer: framer, window: 65535}
	f.more = sync.NewCond(&f.mu)
	return f
}

// read reads frames until the connection ends.
func (f *flow) read() error {
	for {
		frame, err := f.ReadFrame()
		f.mu.Lock()
		switch frame := frame.(type) {
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				f.window += int(frame.Increment)
			}
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = errors.Join(err, f.WriteSettingsAck())
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = errors.Join(err, f.WritePing(true, frame.Data))
			}
		}
		f.ended = err
		f.more.Broadcast()
		f.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// send opens all streams and sends 64 KiB on each.
func (f *flow) send(path string) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.WriteSettings(); err != nil {
		return err
	}
	for i := range h2Streams {
		block.Reset()
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", path}, {"content-length", fmt.Sprint(slowBytes)}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
			return err
		}
	}
	part := make([]byte, 4<<10)
	for range (slowBytes - 1000) / len(part) {
		for i := range h2Streams {
			for f.window < len(part) && f.ended == nil {
				f.more.Wait()
			}
			if f.ended != nil {
				return f.ended
			}
			f.window -= len(part)
			if err := f.WriteData(uint32(2*i+1), false, part); err != nil {
				return err
			}
		}
	}
	return nil
}
