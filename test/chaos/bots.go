package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hooktape/test/harness"
)

const (
	// fallback is the body that bots get without an answer of the backend.
	fallback = `{"price":"","error":"unavailable"}`
	// thinking is the time of a bot between two requests.
	thinking = 25 * time.Millisecond
)

// question is the body of request n.
func question(n string) string { return `{"bothelp_user_id":"` + n + `","name":"бот"}` }

// The results of a request, for the bot.
const (
	gotAnswer   = "answer"     // of the backend
	gotFallback = "fallback"   //
	gotPart     = "part"       // of the backend's answer, then the connection broke
	gotNothing  = "nothing"    // no response
	gotOther    = "other data" // neither of the backend nor the fallback
)

// reply is what a bot got.
type reply struct {
	result string
	took   time.Duration
}

// bots send external requests one after the other, each bot its own, and keep a ledger of the replies.
type bots struct {
	addr   string
	client *http.Client
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	next   uint64
	ledger map[string]reply // by the request's number
	counts map[string]int   // of the results
}

// startBots starts n bots.
func startBots(ctx context.Context, addr string, n int) *bots {
	ctx, cancel := context.WithCancel(ctx)
	b := &bots{addr: addr, cancel: cancel, ledger: map[string]reply{}, counts: map[string]int{},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: n}}}
	for range n {
		b.done.Go(func() {
			for ctx.Err() == nil {
				b.ask()
				_ = harness.Pause(ctx, thinking)
			}
		})
	}
	return b
}

// stop lets requests in flight end.
func (b *bots) stop() {
	b.cancel()
	b.done.Wait()
	b.client.CloseIdleConnections()
}

// count returns the number of requests with a result.
func (b *bots) count(result string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[result]
}

// ask sends one request.
func (b *bots) ask() {
	b.mu.Lock()
	b.next++
	n := strconv.FormatUint(b.next, 10)
	b.mu.Unlock()
	began := time.Now()
	result := b.result(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger[n] = reply{result, time.Since(began)}
	b.counts[result]++
}

func (b *bots) result(n string) string {
	url := fmt.Sprintf("http://%s/hooks/%s/%s/quote?n=%s", b.addr, harness.Source, harness.Token, n)
	request, err := http.NewRequest(http.MethodPut, url, strings.NewReader(question(n)))
	if err != nil {
		return gotNothing
	}
	request.GetBody = nil // the client must not repeat it
	response, err := b.client.Do(request)
	if err != nil {
		return gotNothing
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	whole := price(n)
	switch got := string(body); {
	case response.StatusCode != http.StatusOK:
		return gotOther
	case err != nil && (strings.HasPrefix(whole, got) || strings.TrimRight(got, " ") == whole):
		return gotPart
	case err != nil:
		return gotOther
	case got == whole:
		return gotAnswer
	case got == fallback:
		return gotFallback
	}
	return gotOther
}
