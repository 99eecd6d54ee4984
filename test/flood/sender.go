package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// sender is BotHelp: a known client that sends webhooks at a steady rate, some on kept connections and some on new
// ones.
type sender struct {
	kept, fresh *http.Client
	url         string

	sending sync.WaitGroup
	mu      sync.Mutex
	sent    int
	took    []time.Duration // of webhooks answered with 200
	other   map[string]int  // other results
}

const (
	sendEvery = 20 * time.Millisecond
	patience  = 10 * time.Second
)

func newSender(t *target) *sender {
	client := func(fresh bool) *http.Client {
		return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: fresh,
			MaxIdleConnsPerHost: 16, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}
	url := "http://"
	if t.tls {
		url = "https://"
	}
	return &sender{kept: client(false), fresh: client(true), url: url + t.hooktape.Addr + hook, other: map[string]int{}}
}

// begin sends until ctx ends.
func (s *sender) begin(ctx context.Context) {
	s.sending.Go(func() {
		ticker := time.NewTicker(sendEvery)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.sending.Go(func() { s.send([]*http.Client{s.kept, s.fresh}[i%2]) })
			}
		}
	})
}

func (s *sender) wait() {
	s.sending.Wait()
	s.kept.CloseIdleConnections()
}

var webhook = `{"name":"` + strings.Repeat("John Wick ", 40) + `"}`

func (s *sender) send(client *http.Client) {
	begun, outcome := time.Now(), ""
	response, err := client.Post(s.url, "application/json", strings.NewReader(webhook))
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		outcome = response.Status
	} else if outcome = err.Error(); strings.LastIndex(outcome, ": ") > 0 {
		outcome = outcome[strings.LastIndex(outcome, ": ")+2:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	if outcome == "200 OK" {
		s.took = append(s.took, time.Since(begun))
	} else {
		s.other[outcome]++
	}
}

// good returns the share of the webhooks that were answered with 200.
func (s *sender) good() float64 { return float64(len(s.took)) / float64(max(s.sent, 1)) }

// percentile returns a percentile in milliseconds.
func (s *sender) percentile(p int) int64 {
	if len(s.took) == 0 {
		return 0
	}
	slices.Sort(s.took)
	return s.took[min(len(s.took)*p/100, len(s.took)-1)].Milliseconds()
}
