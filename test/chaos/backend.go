package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"hooktape/test/receiver"
)

// backend is an endpoint that answers external requests. It can change its behaviour at any time.
type backend struct {
	*receiver.Server[conduct]

	mu  sync.Mutex
	got map[string]int
}

// conduct answers a request whose number is n. over is closed when the behaviour changes.
type conduct func(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{})

// price is the answer of a backend to request n.
func price(n string) string { return `{"price":"` + strings.Repeat("1", 500) + n + `"}` }

func listenBackend() (b *backend, err error) {
	b = &backend{got: map[string]int{}}
	b.Server, err = receiver.Serve[conduct](b, answers)
	return b, err
}

func (b *backend) url() string { return "http://" + b.Addr + "/backend?key=1" }

// ServeHTTP answers as the behaviour says.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := r.URL.Query().Get("n")
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPut || r.URL.Path != "/backend/quote" || r.URL.Query().Get("key") != "1" ||
		string(body) != question(n) {
		n += " altered"
	}
	b.mu.Lock()
	b.got[n]++
	b.mu.Unlock()
	answer, over := b.Behaviour()
	answer(w, r, n, over)
}

// requests returns how often each request arrived.
func (b *backend) requests() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got
}

func answers(w http.ResponseWriter, _ *http.Request, n string, _ <-chan struct{}) {
	_, _ = io.WriteString(w, price(n))
}

func hangs(_ http.ResponseWriter, r *http.Request, _ string, over <-chan struct{}) {
	select {
	case <-over:
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler)
}

// slow answers after a time, or when the behaviour changes.
func slow(after time.Duration) conduct {
	return func(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{}) {
		waitFor(r.Context(), after, over)
		answers(w, r, n, over)
	}
}

func garbage(w http.ResponseWriter, _ *http.Request, _ string, _ <-chan struct{}) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = conn.Write([]byte("\x16\x03\x01garbage\r\n\r\n\x00"))
		conn.Close()
	}
}

// cutOff sends half of the answer.
func cutOff(w http.ResponseWriter, _ *http.Request, n string, _ <-chan struct{}) {
	half(w, n)
	panic(http.ErrAbortHandler)
}

func half(w http.ResponseWriter, n string) {
	whole := price(n)
	w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
	_, _ = io.WriteString(w, whole[:len(whole)/2])
	_ = http.NewResponseController(w).Flush()
}

// endless sends the answer, and then blanks.
func endless(w http.ResponseWriter, r *http.Request, n string, over <-chan struct{}) {
	_, err := io.WriteString(w, price(n))
	for err == nil && waitFor(r.Context(), 5*time.Millisecond, over) {
		_, err = io.WriteString(w, strings.Repeat(" ", 1024))
		err = errors.Join(err, http.NewResponseController(w).Flush())
	}
	panic(http.ErrAbortHandler)
}

// waitFor reports whether the time passed before the request and the behaviour ended.
func waitFor(ctx context.Context, d time.Duration, over <-chan struct{}) bool {
	select {
	case <-time.After(d):
		return true
	case <-over:
	case <-ctx.Done():
	}
	return false
}
