package ingest

import (
	"net/http"

	"github.com/gin-gonic/gin/render"
	"go.opentelemetry.io/otel/metric"
)

// streamKey is the key of a request's stream in its context.
type streamKey struct{}

// admitted reserves memory for a request to a hook before its body is read, and answers 503 if there is none. Unknown
// senders, recognised by the URL, are turned away before known sources.
func (s *Server) admitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(streamKey{}).(*stream)
		h := judgedOf(r)
		if len(r.TransferEncoding) > 0 || c != nil && c.framing.opaque.Load() || h == nil && r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // framing does not inspect what follows, or nobody reads the body
		}
		if h == nil {
			next.ServeHTTP(w, r)
			return
		}
		if h.source != nil && c != nil {
			s.connections.vouch(c.counted)
		}
		h.memory = reservation{memory: s.memory, unknown: h.source == nil}
		defer h.memory.release()
		limit := h.bodyLimit()
		first := firstRead(r.ContentLength, limit)
		if !h.memory.begin(first, min(max(r.ContentLength, 0), limit), headerBytes(r.Header)) {
			s.turnAway(w, r, h)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// turnAway answers a request for which there is no memory. The request is not stored.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, h *judged) {
	sender := "unknown"
	if h.source != nil {
		sender = "known"
	}
	s.shed.Add(r.Context(), 1, metric.WithAttributes(attrSender.String(sender)))
	header := w.Header()
	header.Set("Connection", "close") // the rest of the body is not read
	if s.answeredInstead(r.Context(), w, h, fallbackMemory) {
		return
	}
	header.Set("Retry-After", retryAfter)
	header.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = render.WriteJSON(w, busy) // the client may have left
}

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = "5"

var busy = map[string]string{"error": "unavailable", "message": "too many requests are under way; send it again"}

// headerBytes returns the size of a header, with 32 bytes more for each line.
func headerBytes(header http.Header) (n int64) {
	for name, values := range header {
		for _, value := range values {
			n += int64(len(name) + len(value) + 32)
		}
	}
	return n
}
