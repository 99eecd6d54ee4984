package simulate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Backend simulates the backend of External Requests. It answers {"price":"4900","paid":"yes"}, with the price of the
// article sku of the query. Of each 25 requests one gets a late answer, one none, one the status 500, one an answer
// without paid, and one half an answer. The zero Backend is ready for use.
type Backend struct{ requests atomic.Uint64 }

const (
	articles    = 20 // in the simulated shop
	backendSlow = 1500 * time.Millisecond
	// backendSilence is longer than the longest deadline of a source.
	backendSilence = 3 * time.Minute
)

// fault is what goes wrong with an answer.
type fault int

const (
	none fault = iota
	late
	silent
	failing
	incomplete // without paid
	cutOff
)

// faultOf returns the fault of a number. Each 25 numbers in a row have each fault once.
func faultOf(number uint64) fault {
	switch number % 25 {
	case 5:
		return late
	case 10:
		return silent
	case 15:
		return failing
	case 20:
		return incomplete
	case 24:
		return cutOff
	}
	return none
}

// answerOf returns the answer to a query.
func answerOf(query url.Values, f fault) (status int, body string) {
	sku, _ := strconv.ParseUint(query.Get("sku"), 10, 64)
	price := 900 + sku%articles*500
	switch f {
	case failing:
		return http.StatusInternalServerError, `{"error":"the database is locked"}`
	case incomplete:
		return http.StatusOK, fmt.Sprintf(`{"price":"%d"}`, price)
	}
	return http.StatusOK, fmt.Sprintf(`{"price":"%d","paid":"yes"}`, price)
}

// ServeHTTP answers a request.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // afterwards the server notices when the client leaves
	fault := faultOf(b.requests.Add(1))
	status, answer := answerOf(r.URL.Query(), fault)
	switch fault {
	case late:
		pause(r.Context(), backendSlow)
	case silent:
		pause(r.Context(), backendSilence)
		panic(http.ErrAbortHandler)
	case cutOff:
		w.Header().Set("Content-Length", strconv.Itoa(2*len(answer)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) // the server closes the connection if it is shorter than Content-Length
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
