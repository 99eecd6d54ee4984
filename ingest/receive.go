package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

// receive captures a request, and only then judges it.
func (s *Server) receive(c *gin.Context) {
	r, begun := c.Request, time.Now()
	h := judgedOf(r)
	captured := capture(r, h, begun)
	h.captured, h.id = captured, captured.ID.String()
	verdict := h.verdict
	if verdict == event.Accepted && !slices.Contains(h.source.methods(), r.Method) {
		verdict = event.MethodNotAllowed
	}
	verdict, err := s.readBody(c, h, verdict)
	if err != nil {
		s.turnAway(c.Writer, r, h)
		return
	}
	if verdict == event.Accepted && !signed(h.source, r.Header, captured.Body) {
		verdict = event.BadSignature
	}
	captured.Verdict = verdict
	if verdict != event.Accepted {
		captured.Body = h.secret.hideBytes(captured.Body[:min(len(captured.Body), RejectedBodyBytes)])
	}
	captured.BodySHA256 = sha256.Sum256(captured.Body)
	if verdict == event.Accepted && h.source.forwarder != nil {
		s.forward(c, h)
		return
	}
	defer func() {
		s.requestTime.Record(r.Context(), time.Since(begun).Seconds(),
			metric.WithAttributes(attrVerdict.String(string(verdict))))
	}()

	if verdict != event.Accepted {
		s.reject(c, h)
		return
	}
	if err := s.append(r.Context(), h); err != nil {
		s.unavailable(c, err)
		return
	}
	s.count(r.Context(), captured.Source, verdict, true)
	c.Data(http.StatusOK, "application/json", receipt(h))
}

// capture returns the event of a request, still without its body.
func capture(r *http.Request, h *judged, at time.Time) *event.Received {
	span := trace.SpanContextFromContext(r.Context())
	return &event.Received{
		ID:         event.NewID(at),
		ReceivedAt: at.UTC().Truncate(time.Microsecond),
		Source:     h.hook.source,
		Step:       h.step,
		Method:     r.Method,
		Path:       h.path,
		Query:      r.URL.RawQuery,
		RemoteIP:   h.client,
		Headers:    headers(r, h),
		TraceID:    span.TraceID(),
		SpanID:     span.SpanID(),
		Untraced:   !span.IsSampled(),
	}
}

// receipt returns the body of a 200.
func receipt(h *judged) []byte {
	text := append(append(append(make([]byte, 0, 96), `{"id":"`...), h.id...), `","received_at":"`...)
	text = h.captured.ReceivedAt.AppendFormat(text, "2006-01-02T15:04:05.000000Z07:00")
	return append(text, "\"}\n"...)
}

// bodyLimit returns how many bytes of the body are read at most.
func (h *judged) bodyLimit() int64 {
	if h.source == nil {
		return RejectedBodyBytes
	}
	return max(RejectedBodyBytes, h.source.MaxBody+1)
}

// firstRead returns the size of the first buffer for a body with this Content-Length, or -1 without one. With one byte
// more than the length the reader sees the end.
func firstRead(length, limit int64) int64 {
	if length < 0 || length >= firstBody {
		return min(firstBody, limit)
	}
	return min(length+1, limit)
}

// readBody reads as much of the body as the verdict so far allows, and returns the new verdict. It returns an error if
// there is no memory for the rest.
func (s *Server) readBody(c *gin.Context, h *judged, verdict event.Verdict) (event.Verdict, error) {
	limit := int64(RejectedBodyBytes)
	if verdict == event.Accepted {
		limit = h.bodyLimit()
	}
	body, err := s.readAll(c, h, limit)
	h.captured.Body = body
	switch {
	case errors.Is(err, errNoMemory):
		return verdict, err
	case verdict != event.Accepted:
		return verdict, nil
	case int64(len(body)) > h.source.MaxBody:
		return event.TooLarge, nil
	case err != nil:
		return event.Aborted, nil
	}
	return event.Accepted, nil
}

// readAll reads a body up to the limit, at the minimum rate or faster. It reserves memory for each step.
func (s *Server) readAll(c *gin.Context, h *judged, limit int64) ([]byte, error) {
	begun := time.Now()
	control := http.NewResponseController(c.Writer)
	length := c.Request.ContentLength
	body := make([]byte, 0, firstRead(length, limit))
	for {
		if have := int64(len(body)); have == limit {
			return body, nil
		} else if have == int64(cap(body)) {
			larger := min(4*have, limit)
			if length >= have {
				larger = min(larger, length+1)
			}
			if !h.memory.grow(bodyCost*(larger-have), forBody) {
				return nil, errNoMemory
			}
			body = append(make([]byte, 0, larger), body...)
		}
		n, err := c.Request.Body.Read(body[len(body):min(int64(cap(body)), limit)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		earned := s.options.Timeouts.BodyGrace +
			time.Duration(len(body))*time.Second/time.Duration(s.options.Limits.MinBodyRate)
		// fails only in tests, without a connection
		_ = control.SetReadDeadline(begun.Add(min(earned, s.options.Timeouts.Read)))
	}
}

func signed(source *Source, header http.Header, body []byte) bool {
	return len(source.SigningTokens) == 0 ||
		bothelp.VerifySignature(header.Get(bothelp.SignatureHeader), body, source.SigningTokens...)
}

// append puts the event on disk, whether or not the client is still connected: it may never send the event again.
func (s *Server) append(request context.Context, h *judged) error {
	record, err := h.captured.Marshal()
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	h.captured.Body = nil // the record contains it
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeouts.Read)
	defer cancel()
	begun := time.Now()
	if err := s.spool.Append(ctx, record); err != nil {
		return err
	}
	h.appended = time.Since(begun)
	s.appendTime.Record(request, h.appended.Seconds())
	return nil
}

// reject answers a rejected request, and stores it for the audit if the limits allow.
func (s *Server) reject(c *gin.Context, h *judged) {
	ctx, verdict := c.Request.Context(), h.captured.Verdict
	kept := s.rejects.keep(h.client, verdict != event.UnknownSource, rawBytes(h.captured)) && s.append(ctx, h) == nil
	s.count(ctx, h.captured.Source, verdict, kept)
	if verdict == event.TooLarge || verdict == event.Aborted {
		c.Header("Connection", "close")
		if s.answeredInstead(ctx, c.Writer, h, event.Fallback(verdict)) {
			return
		}
	}
	switch verdict {
	case event.BadSignature:
		refuse(c, http.StatusUnauthorized, string(verdict), bothelp.SignatureHeader+
			" is missing or was not made with this webhook's token: sign with the source's signing_token")
	case event.TooLarge:
		refuse(c, http.StatusRequestEntityTooLarge, string(verdict),
			fmt.Sprintf("the body is larger than the %d bytes "+
				"that this source allows: send less, or raise its max_body", h.source.MaxBody))
	case event.MethodNotAllowed:
		methods := strings.Join(h.source.methods(), ", ")
		c.Header("Allow", methods)
		refuse(c, http.StatusMethodNotAllowed, string(verdict), "this source takes "+methods)
	case event.Aborted:
		refuse(c, http.StatusRequestTimeout, string(verdict), "the body did not arrive whole: send it again")
	default: // a sender cannot tell an unknown source from a bad token
		refuseUnknown(c)
	}
}

// refuse answers with an error's code and a message for the sender.
func refuse(c *gin.Context, status int, code, message string) {
	c.JSON(status, gin.H{"error": code, "message": message})
}

// refuseUnknown answers a request to no hook, or with a wrong token.
func refuseUnknown(c *gin.Context) {
	refuse(c, http.StatusNotFound, "not_found", "this is no hook's URL, or its token is wrong: copy the hook URL again")
}

// rawBytes estimates the size of a request in the spool.
func rawBytes(r *event.Received) int64 {
	n := 256 + len(r.Body) + len(r.Path) + len(r.Query) + len(r.Source) + len(r.Step) + len(r.Method)
	for _, h := range r.Headers {
		n += len(h.Name) + len(h.Value)
	}
	return int64(n)
}

// unavailable asks the sender to send the event again: it is not on disk.
func (s *Server) unavailable(c *gin.Context, err error) {
	s.notStored(c.Request.Context(), err)
	c.Header("Retry-After", retryAfter)
	refuse(c, http.StatusServiceUnavailable, "unavailable", "the event could not be stored; send it again")
}

// notStored reports that an accepted request is not on disk.
func (s *Server) notStored(ctx context.Context, err error) {
	s.refused.Add(ctx, 1)
	trace.SpanFromContext(ctx).RecordError(err)
	s.unavailables.Do(func() {
		s.logger.ErrorContext(ctx,
			"requests cannot be stored: they are answered with 503, or with the fallback of their source", "error", err)
	})
}

// headers returns every header line, and the host. net/http loses their order, so they are sorted by name; the lines of
// one name keep their order.
func headers(r *http.Request, h *judged) []event.Header {
	list := make([]event.Header, 0, len(r.Header)+1)
	list = append(list, event.Header{Name: "Host", Value: h.host})
	for name, values := range r.Header {
		for _, value := range values {
			list = append(list, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(list, func(a, b event.Header) int { return strings.Compare(a.Name, b.Name) })
	return list
}
