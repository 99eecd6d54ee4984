package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recovered returns a handler that logs a panic of next, and calls answer unless next has begun to answer. The log has the
// place of the panic and not its value, which may be a part of the request.
func Recovered(name string, logger *slog.Logger, next http.Handler, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := &begunWriter{ResponseWriter: w}
		defer func() {
			switch p := recover(); {
			case p == nil:
			case p == http.ErrAbortHandler: // the client is gone
				panic(p)
			default:
				logger.Error("the "+name+" panicked", "method", r.Method, "route", r.Pattern, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				if begun.answered {
					panic(http.ErrAbortHandler) // so that the client does not take it for a whole answer
				}
				answer(w, r)
			}
		}()
		next.ServeHTTP(begun, r)
	})
}

// begunWriter knows whether an answer has begun.
type begunWriter struct {
	http.ResponseWriter
	answered bool
}

// WriteHeader implements http.ResponseWriter.
func (w *begunWriter) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *begunWriter) Write(p []byte) (int, error) {
	w.answered = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *begunWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
