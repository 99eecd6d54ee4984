package replay

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync/atomic"
)

// stage is how far an attempt has come.
type stage int32

const (
	connecting stage = iota
	handshaking
	waiting // the request is on its way or there, the answer is not
	inHeader
	inBody
)

// progress follows an attempt: net/http's errors do not tell where it was when it failed.
type progress struct{ at atomic.Int32 }

func (p *progress) stage() stage { return stage(p.at.Load()) }

// watch returns a context for the request to be followed. A connection that is dialed for this request may serve
// another one, and goes on being reported here: what has come further does not go back.
func (p *progress) watch(ctx context.Context) context.Context {
	reached := func(s stage) {
		for {
			now := p.at.Load()
			if now >= int32(s) || p.at.CompareAndSwap(now, int32(s)) {
				return
			}
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { reached(handshaking) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				reached(waiting)
			}
		},
		GotConn:              func(httptrace.GotConnInfo) { reached(waiting) },
		GotFirstResponseByte: func() { reached(inHeader) },
	})
}
