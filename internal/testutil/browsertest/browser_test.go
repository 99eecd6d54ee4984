package browsertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestChangingPages verifies that an action does not fail because the page replaces its element, or loads again,
// meanwhile.
func TestChangingPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, map[string]string{
			"/replaces": "<script>setInterval(() => document.body.innerHTML = '<input>', 1)</script>",
			// Later and later, so that the test also ends on a slow machine.
			"/reloads": "<input><script>sessionStorage.n = 1 + +(sessionStorage.n ?? 0);" +
				"setTimeout(() => location.reload(), 10 * sessionStorage.n)</script>",
		}[r.URL.Path])
	}))
	defer server.Close()
	b := New(t)
	for _, path := range []string{"/replaces", "/reloads"} {
		b.Open(server.URL + path)
		for range 100 {
			b.Run(chromedp.SetValue("input", "7", chromedp.ByQuery))
			b.Text("input")
		}
	}
}
