package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBroken verifies that /healthz fails, without the error's text, when only a restart helps.
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
		t.Errorf("before the failure: %d", w.Code)
	}
	broken = errors.New("fsync /secret-path: input/output error")
	if w := ask(); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret-path") {
		t.Errorf("after the disk failed: %d %s", w.Code, w.Body)
	}
}
