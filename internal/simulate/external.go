package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ExternalRequest returns a request of BotHelp's step External Request: the bot of the visit's subscriber asks for the
// price of an article. Half of the subscribers send GET with a query, half POST with a JSON body. The hook is the URL
// of a source without a step. The [Truth] does not count these requests.
func (a *Account) ExternalRequest(ctx context.Context, hook string, v Visit) (*http.Request, error) {
	var l life
	a.live(&l, uint64(v.number))
	p := a.person(&l)
	id := strconv.FormatUint(firstID+p.number, 10)
	method, url, body := http.MethodGet, fmt.Sprintf("%s/quote?sku=%d", hook, v.number%articles), ""
	if v.number%2 == 0 {
		url += "&bothelp_user_id=" + id
	} else {
		text, err := json.Marshal(map[string]string{"bothelp_user_id": id, "name": string(p.appendName(nil)),
			"phone": p.phone})
		if err != nil {
			return nil, err
		}
		method, body = http.MethodPost, string(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", UserAgent)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// articles is the number of articles in the simulated shop.
const articles = 20

// Backend simulates the backend of External Requests. It answers {"price":"4900","paid":"yes"}, with the price of the
// article sku of the query. Of each 25 requests one gets a late answer, one none, one the status 500, one an answer
// without paid, and one half an answer. The zero Backend is ready for use.
type Backend struct{ requests atomic.Uint64 }

const (
	backendSlow = 1500 * time.Millisecond
	// backendSilence is longer than the longest deadline of a source.
	backendSilence = 3 * time.Minute
)

// ServeHTTP answers a request.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // afterwards the server notices when the client leaves
	sku, _ := strconv.ParseUint(r.URL.Query().Get("sku"), 10, 64)
	price := 900 + sku%articles*500
	answer := fmt.Sprintf(`{"price":"%d","paid":"yes"}`, price)
	status := http.StatusOK
	switch b.requests.Add(1) % 25 {
	case 5:
		pause(r.Context(), backendSlow)
	case 10:
		pause(r.Context(), backendSilence)
		panic(http.ErrAbortHandler)
	case 15:
		status, answer = http.StatusInternalServerError, `{"error":"the database is locked"}`
	case 20:
		answer = fmt.Sprintf(`{"price":"%d"}`, price)
	case 24:
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
