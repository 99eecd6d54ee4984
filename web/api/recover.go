package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recover returns a handler that logs a panic of next. It then calls answer, or breaks the connection if next has
// started to answer. The log has the place of the panic but not its value, which may be part of the request.
func Recover(name string, logger *slog.Logger, next http.Handler, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := &startedWriter{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // the handler breaks the connection on purpose
				panic(p)
			}
			logger.Error("the "+name+" panicked", "method", r.Method, "route", r.Pattern,
				"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if started.answered {
				panic(http.ErrAbortHandler) // otherwise the client would take half an answer for a whole one
			}
			answer(w, r)
		}()
		next.ServeHTTP(started, r)
	})
}

// startedWriter records whether the answer has started.
type startedWriter struct {
	http.ResponseWriter
	answered bool
}

// WriteHeader implements http.ResponseWriter.
func (w *startedWriter) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *startedWriter) Write(p []byte) (int, error) {
	w.answered = true
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *startedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
