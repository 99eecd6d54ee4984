package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/redact"
	"hooktape/internal/server"
	"hooktape/internal/simulate"
)

// post simulates the account live.
func (c simulateCmd) post(e *env, within time.Duration) error {
	var lasts time.Duration
	var err error
	if c.For != "" {
		if lasts, err = event.ParseSpan(c.For); err != nil {
			return fmt.Errorf("--for: %w", err)
		}
	}
	to, err := c.targets(e)
	if err != nil {
		return err
	}
	if c.Backend != "" {
		backend, err := startBackend(c.Backend, to)
		if err != nil {
			return err
		}
		defer backend.Close()
	}
	o := simulate.Options{Seed: c.Seed, Speed: c.Speed, Sources: to.sources, ChatSigningToken: to.signingToken}
	now := time.Now().Truncate(time.Millisecond)
	account, err := simulate.New(simulate.LiveOptions(o, now, c.Rate, lasts))
	if err != nil {
		return err
	}
	p := newPoster(account, to)
	last := p.run(e, now)
	fmt.Fprintln(e.stderr, p.tally())
	if err := c.tell(e, account, now, last.Add(time.Microsecond), within); err != nil {
		return err
	}
	if p.failed.Load() > 0 {
		return exitFailed
	}
	return nil
}

// startBackend starts the simulated backend.
func startBackend(address string, to targets) (*http.Server, error) {
	if to.external == "" {
		return nil, errors.New("--backend: no source forwards to it; docs/EXTERNAL-REQUEST.md has a configuration " +
			"with such a source")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--backend: %w", err)
	}
	server := &http.Server{Handler: &simulate.Backend{}, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until Close
	return server, nil
}

// poster sends requests and counts the answers.
type poster struct {
	account                 *simulate.Account
	to                      targets
	client                  http.Client
	posted, refused, failed atomic.Uint64
	external, unanswered    atomic.Uint64 // External Requests; those without a whole answer of status 200
	begun                   time.Time
	mu                      sync.Mutex
	lastFailure             string
}

// posters is the largest number of concurrent webhooks, and of concurrent External Requests.
const posters = 16

func newPoster(account *simulate.Account, to targets) *poster {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if to.own {
		transport = server.LocalTransport()
	}
	transport.MaxIdleConnsPerHost, transport.DisableKeepAlives = posters, false
	return &poster{account: account, to: to, client: http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// run posts until the simulation or the context ends, and returns the time of the last request. It finishes requests in
// flight.
func (p *poster) run(e *env, from time.Time) (last time.Time) {
	defer p.client.CloseIdleConnections()
	visits, asking := make(chan simulate.Visit), make(chan event.Event)
	var workers, bots sync.WaitGroup
	for range posters {
		workers.Go(func() {
			for v := range visits {
				posted := p.account.Request(v)
				p.post(context.WithoutCancel(e.ctx), posted)
				p.offer(asking, posted)
			}
		})
		bots.Go(func() {
			for asked := range asking {
				p.ask(context.WithoutCancel(e.ctx), asked)
			}
		})
	}
	line := newStatus(e)
	p.begun, last = time.Now(), from
	for v := range p.account.Live(e.ctx, from) {
		visits <- v
		last = v.At()
		line.show(p.tally)
	}
	close(visits)
	workers.Wait()
	close(asking)
	bots.Wait()
	line.clear()
	return last
}

// tally returns a line such as "1200 posted, 20/s, 2 refused as meant".
func (p *poster) tally() string {
	n := p.posted.Load()
	line := fmt.Sprintf("%d posted, %.1f/s, %d refused as meant", n, float64(n)/time.Since(p.begun).Seconds(),
		p.refused.Load())
	if n := p.external.Load(); n > 0 {
		line += fmt.Sprintf(", %s (%d without a whole answer of status 200)", plural(n, "external request"),
			p.unanswered.Load())
	}
	if failed := p.failed.Load(); failed > 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		line += fmt.Sprintf(", %d FAILED: %s", failed, safe(p.lastFailure))
	}
	return line
}

// answers has the status of the ingest for each verdict.
var answers = map[event.Verdict]int{
	event.Accepted:         http.StatusOK,
	event.BadSignature:     http.StatusUnauthorized,
	event.UnknownSource:    http.StatusNotFound,
	event.BadToken:         http.StatusNotFound,
	event.MethodNotAllowed: http.StatusMethodNotAllowed,
}

func (p *poster) post(ctx context.Context, e event.Event) {
	p.posted.Add(1)
	status, err := send(ctx, &p.client, p.to.url(e), e)
	switch {
	case err != nil:
		p.fail(err.Error())
	case status != answers[e.Verdict]:
		p.fail(fmt.Sprintf("answered %d to a request that is %s", status, e.Verdict))
	case e.Verdict != event.Accepted:
		p.refused.Add(1)
	}
}

// offer passes on the External Request after a webhook, if there is one.
func (p *poster) offer(asking chan<- event.Event, posted event.Event) {
	bothelp.Read(&posted, "")
	asked, ok := simulate.ExternalRequest(&posted)
	if !ok || p.to.external == "" {
		return
	}
	select {
	case asking <- asked:
	default: // enough bots wait; a slow backend does not hold up webhooks
	}
}

// ask sends an External Request, as a bot.
func (p *poster) ask(ctx context.Context, asked event.Event) {
	p.external.Add(1)
	client := http.Client{Transport: p.client.Transport} // the deadline of the source is its timeout
	switch status, err := send(ctx, &client, p.to.external+"/"+asked.Step+"?"+asked.Query, asked); {
	case errors.Is(err, errCutOff) || err == nil && status != http.StatusOK:
		p.unanswered.Add(1)
	case err != nil:
		p.fail(err.Error())
	}
}

func (p *poster) fail(why string) {
	p.failed.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastFailure = why
}

// errCutOff means that an answer breaks off.
var errCutOff = errors.New("the answer breaks off")

func send(ctx context.Context, client *http.Client, to string, e event.Event) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, e.Method, to, bytes.NewReader(e.Body))
	if err != nil {
		return 0, errors.New("the URL cannot be used") // its text has the token
	}
	for _, h := range e.Headers {
		if h.Name != "Host" && h.Name != "Content-Length" {
			request.Header.Set(h.Name, h.Value)
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, redact.WithoutURL(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return response.StatusCode, errCutOff
	}
	return response.StatusCode, nil
}
