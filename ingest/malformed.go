package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hooktape/internal/event"
)

// malformedBytes is the size of the stored start of a request that is not HTTP.
const malformedBytes = 4 << 10

// malformed stores the start of a request that net/http has refused, within the limits for rejected requests. No
// trusted proxy can name its client, because the header cannot be parsed.
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
	j.captured = &event.Received{ID: event.NewID(now), ReceivedAt: now.UTC().Truncate(time.Microsecond),
		Verdict: event.Malformed, RemoteIP: j.client, Body: body, BodySHA256: sha256.Sum256(body), Untraced: true}
	if source != nil {
		hook = hook.hidden(j.secret)
		j.captured.Source, j.captured.Step, j.captured.Path = hook.source, hook.step, hook.path
	}
	kept := s.rejects.keep(j.client, source != nil, rawBytes(j.captured)) && s.append(ctx, j) == nil
	s.count(ctx, j.captured.Source, event.Malformed, kept)
}

// refusal replaces net/http's answer to a request that begins with start: it has the same status, and says what to do.
// reason is framing's reason to refuse the request, or nil if net/http has; longest is the maximal length of a head.
func refusal(answer, start []byte, reason error, longest int) []byte {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	_, status, _ := strings.Cut(string(line), " ")
	text, _, _ := strings.Cut(status, " ")
	code, err := strconv.Atoi(text)
	if err != nil {
		return answer // not one of net/http's
	}
	_, what, _ := strings.Cut(status, ": ") // such as: malformed Host header
	switch {
	case bytes.HasPrefix(start, []byte("PROXY ")) || bytes.HasPrefix(start, []byte("\r\n\r\n\x00\r\nQUIT\n")):
		what = "the PROXY protocol is not understood: turn it off in the proxy in front, and have it send " +
			"X-Forwarded-For"
	case errors.Is(reason, errNotHTTP) && start[0] == handshakeRecord:
		what = "this port speaks no TLS: the URL must begin with http://"
	case errors.Is(reason, errHTTP2), code == http.StatusHTTPVersionNotSupported:
		what = "send the request by HTTP/1.1"
	case errors.Is(reason, errTwoLengths):
		what = errTwoLengths.Error() + ": send one of them"
	case code == http.StatusExpectationFailed:
		what = "send no Expect but 100-continue"
	case code == http.StatusNotImplemented:
		what = "send no Transfer-Encoding but chunked"
	case code == http.StatusRequestHeaderFieldsTooLarge:
		what = fmt.Sprintf("the URL and the headers are too long: together they may have %d bytes", longest)
	case what == "":
		what = "the request is not valid HTTP/1.1: correct its first line and its headers"
	default:
		what += ": correct it"
	}
	body, _ := json.Marshal(map[string]string{"error": string(event.Malformed), "message": what}) // strings never fail
	return fmt.Appendf(nil,
		"HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\r\n%s\n", code,
		http.StatusText(code), body)
}
