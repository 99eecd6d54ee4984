package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Ready is what a hooktape's readiness page says.
type Ready struct {
	Status int  `json:"-"`
	Ready  bool `json:"ready"`
	Drain  struct {
		WaitingEvents int64 `json:"waiting_events"`
		WaitingBytes  int64 `json:"waiting_bytes"`
	} `json:"drain"`
}

// AskReady reads the readiness page of the hooktape at addr.
func AskReady(ctx context.Context, addr string) (r Ready, err error) {
	response, err := get(ctx, addr, "/readyz")
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	r.Status = response.StatusCode
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("readiness page: %w", err)
	}
	return r, nil
}

func answers(ctx context.Context, addr, path string) bool {
	response, err := get(ctx, addr, path)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// once asks without keeping connections: those that it asks are killed time and again.
var once = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func get(ctx context.Context, addr, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	return once.Do(request)
}
