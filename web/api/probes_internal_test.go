package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBroken: /healthz fails when only a restart helps, without the text of the error.
func TestBroken(t *testing.T) {
	var broken error
	mux := http.NewServeMux()
	probes(mux, nil, func() error { return broken })
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return w
	}
	if w := ask(); w.Code != http.StatusOK {
		t.Errorf("while all is well: %d", w.Code)
	}
	broken = errors.New("fsync /secret-path: input/output error")
	if w := ask(); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret-path") {
		t.Errorf("once the disk has failed: %d %s", w.Code, w.Body)
	}
}
