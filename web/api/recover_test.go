package api_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hooktape/web/api"
)

// TestRecover verifies that a panic is answered unless the answer has started, in which case the client sees a broken
// connection, and that the log has the route but not the panic's value.
func TestRecover(t *testing.T) {
	var log bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /early/{id}", func(http.ResponseWriter, *http.Request) { panic("s3cret") })
	mux.HandleFunc("GET /late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("a", 10_000))
		panic("s3cret")
	})
	server := httptest.NewServer(api.Recover("API", slog.New(slog.NewTextHandler(&log, nil)), mux,
		func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "sorry", http.StatusInternalServerError)
		}))
	get := func(path string) (int, string, error) {
		response, err := http.Get(server.URL + path)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), err
	}
	if status, text, err := get("/early/7"); status != http.StatusInternalServerError || text != "sorry\n" ||
		err != nil {
		t.Errorf("before the answer: %d %q, %v", status, text, err)
	}
	if status, text, err := get("/late"); err == nil {
		t.Errorf("in the middle of the answer: %d with %d bytes, as if it were complete", status, len(text))
	}
	server.Close() // ends the handlers, which write the log
	if text := log.String(); strings.Count(text, "the API panicked") != 2 || !strings.Contains(text, "/early/{id}") ||
		strings.Contains(text, "s3cret") {
		t.Errorf("got the log %s", text)
	}
}
