package ingest

import (
	"net/http"

	"github.com/gin-gonic/gin/render"
)

// streamKey is where a request's context has its stream.
type streamKey struct{}

// admitted reserves memory for a request to a hook before anything of its body is read, and answers it with 503 when
// there is none. Strangers are told by the URL, so that they are turned away before known sources are.
func (s *Server) admitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(streamKey{}).(*stream)
		h := judgedOf(r)
		if len(r.TransferEncoding) > 0 || c != nil && c.framing.opaque.Load() || h == nil && r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // what follows is not looked at (see framing), or nobody reads it
		}
		if h == nil {
			next.ServeHTTP(w, r)
			return
		}
		if h.source != nil && c != nil {
			s.connections.vouch(c.counted)
		}
		h.memory = reservation{memory: s.memory, stranger: h.source == nil}
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

// turnAway answers a request for which there is no memory. Nothing of it is kept.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, h *judged) {
	sender := shedUnknown
	if h.source != nil {
		sender = shedKnown
	}
	s.shed.Add(r.Context(), 1, sender)
	header := w.Header()
	header.Set("Retry-After", retryAfter)
	header.Set("Connection", "close") // the rest of the body is not read
	header.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = render.WriteJSON(w, busy) // who has gone needs no answer
}

// retryAfter is when a sender is asked to come again, in seconds.
const retryAfter = "5"

var busy = map[string]string{"error": "unavailable", "message": "too many requests are under way; send it again"}

// headerBytes counts the bytes of a header, and 32 more for each line.
func headerBytes(header http.Header) (n int64) {
	for name, values := range header {
		for _, value := range values {
			n += int64(len(name) + len(value) + 32)
		}
	}
	return n
}
