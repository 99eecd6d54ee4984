package ingest

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	"hooktape/event"
)

// malformedBytes is how much of a request is kept that is not HTTP.
const malformedBytes = 4 << 10

// malformed keeps the start of a request that net/http has refused, within the limits of other rejected requests. No trusted
// proxy can name its client, because there is no header that could be read.
func (s *Server) malformed(c *conn, refused head) {
	addr, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	now, ctx, sources := time.Now(), context.Background(), s.sources.Load()
	path, _, _ := strings.Cut(refused.target, "?")
	hook, source, _ := sources.address(pathOf(path))
	j := &judged{source: source, client: addr.Addr().Unmap().WithZone(""), secret: sources.secret.with(hook.token)}
	body := refused.start
	if len(body) == malformedBytes {
		body = j.secret.hideCut(body)
	} else {
		body = j.secret.hideBytes(body)
	}
	j.captured = &event.Received{ID: event.NewID(now), ReceivedAt: now.UTC().Truncate(time.Microsecond), Verdict: event.Malformed,
		RemoteIP: j.client, Body: body, BodySHA256: sha256.Sum256(body), Untraced: true}
	if source != nil {
		j.captured.Source, j.captured.Step, j.captured.Path = hook.source, j.secret.hide(hook.step), j.secret.hidePath(hook.path)
	}
	kept := s.rejects.keep(j.client, source != nil, rawBytes(j.captured)) && s.append(ctx, j) == nil
	s.count(ctx, j.captured.Source, event.Malformed, kept)
}
