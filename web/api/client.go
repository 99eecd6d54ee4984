package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/redact"
	"hooktape/replay"
)

// Client asks a hooktape over HTTP. It has the methods of Direct.
type Client struct {
	base   *url.URL
	token  string
	client *http.Client
}

const (
	maxAnswerBytes = 64 << 20
	longestQuery   = 4 << 10 // of a URL; longer selections go in a body
)

// NewClient makes a client of the API at a URL such as http://127.0.0.1:8081.
func NewClient(base, token string) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("the API's URL is none such as http://127.0.0.1:8081")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = requestTimeout + 10*time.Second
	// A redirect would take the token along to wherever it leads.
	return &Client{base: u, token: token, client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Close lets go of the connections.
func (c *Client) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// ErrUnreachable: the API does not answer.
var ErrUnreachable = errors.New("the API does not answer")

// send makes a request and returns an answer of 2xx, or an error: a *Problem when the API has answered.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body any) (*http.Response, error) {
	u := c.base.JoinPath("api/v1", path)
	u.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w at %s: %s", ErrUnreachable, c.base.Host, reason(err))
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		return nil, c.refusal(response)
	}
	return response, nil
}

// reason is an error of net/http without the URL, which may be long.
func reason(err error) string {
	err = redact.WithoutURL(err)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}

// refusal is what an answer other than 2xx says.
func (c *Client) refusal(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is cut off is no problem, and answered as such
	p := &Problem{}
	if strings.HasPrefix(response.Header.Get("Content-Type"), problemType) && json.Unmarshal(text, p) == nil && p.Detail != "" {
		p.Status = response.StatusCode
		return p
	}
	return problem(response.StatusCode, "%s answered %s, which is no answer of hooktape's API; is that its URL?", c.base.Host, response.Status)
}

// call makes a request and reads its answer into what out points to; it returns the status.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, header http.Header, body, out any) (int, error) {
	response, err := c.send(ctx, method, path, query, header, body)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := c.read(response)
	if err != nil || out == nil {
		return response.StatusCode, err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return 0, fmt.Errorf("%s answered what is no JSON of hooktape's API; is that its URL?", c.base.Host)
	}
	return response.StatusCode, nil
}

func (c *Client) read(response *http.Response) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("%w to the end at %s: %s", ErrUnreachable, c.base.Host, reason(err))
	}
	return text, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.call(ctx, http.MethodGet, path, query, nil, nil, out)
	return err
}

// Events returns a page of selected events, newest first. The empty cursor is the beginning.
func (c *Client) Events(ctx context.Context, sel event.Selection, limit int, cursor string) (page EventPage, err error) {
	query := sel.Values()
	query.Set("limit", strconv.Itoa(limit))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if len(query.Encode()) < longestQuery {
		return page, c.get(ctx, "events", query, &page)
	}
	_, err = c.call(ctx, http.MethodPost, "events/search", nil, nil, EventSearch{sel, limit, cursor}, &page)
	return page, err
}

// Event returns one event with its request and its deliveries.
func (c *Client) Event(ctx context.Context, id uuid.UUID) (e Event, err error) {
	return e, c.get(ctx, "events/"+id.String(), nil, &e)
}

// Body returns the bytes of an event's body as they came.
func (c *Client) Body(ctx context.Context, id uuid.UUID) ([]byte, error) {
	response, err := c.send(ctx, http.MethodGet, "events/"+id.String()+"/raw", nil, nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return c.read(response)
}

// Deliveries returns every way of an event to an endpoint.
func (c *Client) Deliveries(ctx context.Context, id uuid.UUID) ([]Delivery, error) {
	var list DeliveryList
	err := c.get(ctx, "events/"+id.String()+"/deliveries", nil, &list)
	return list.Deliveries, err
}

// Endpoints lists the configured endpoints and where delivery to them stands.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var list EndpointList
	err := c.get(ctx, "endpoints", nil, &list)
	return list.Endpoints, err
}

// SteerEndpoint pauses or resumes all that goes to an endpoint.
func (c *Client) SteerEndpoint(ctx context.Context, name string, action event.Action) error {
	_, err := c.call(ctx, http.MethodPost, "endpoints/"+url.PathEscape(name)+"/"+string(action), nil, nil, nil, nil)
	return err
}

// Plan tells what a request would do, and does nothing.
func (c *Client) Plan(ctx context.Context, want replay.Request) (plan Plan, err error) {
	_, err = c.call(ctx, http.MethodPost, "replays", nil, nil, NewReplay{Request: complete(want), DryRun: true}, &plan)
	return plan, err
}

// Create makes a replay and lets it run. A second creation under the same key, unless that is empty, returns the replay
// of the first. It returns replay.ErrNothing when there is nothing to send.
func (c *Client) Create(ctx context.Context, key string, want replay.Request) (r event.Replay, err error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	status, err := c.call(ctx, http.MethodPost, "replays", nil, header, NewReplay{Request: complete(want)}, &r)
	if err == nil && status == http.StatusOK {
		return event.Replay{}, replay.ErrNothing
	}
	return r, err
}

// complete puts the defaults to a request, whose words have no empty value in the API.
func complete(want replay.Request) replay.Request {
	if want.Order == "" {
		want.Order = event.OrderNone
	}
	if want.Mode == "" {
		want.Mode = event.ModeUndelivered
	}
	if want.Retry == "" {
		want.Retry = event.RetryEndpoint
	}
	return want
}

// Replays lists the newest first, or those made before a replay; with states, those in one of them.
func (c *Client) Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if before != uuid.Nil {
		query.Set("before", before.String())
	}
	for _, state := range states {
		query.Add("state", string(state))
	}
	var list ReplayList
	err := c.get(ctx, "replays", query, &list)
	return list.Replays, err
}

// Replay returns one replay with its counts.
func (c *Client) Replay(ctx context.Context, id uuid.UUID) (r event.Replay, err error) {
	return r, c.get(ctx, "replays/"+id.String(), nil, &r)
}

// Steer pauses, resumes or cancels a replay, or changes its rate. The process that delivers takes it up within a second.
func (c *Client) Steer(ctx context.Context, id uuid.UUID, action event.Action, perSecond float64) (err error) {
	path := "replays/" + id.String()
	switch action {
	case event.ActionCancel:
		_, err = c.call(ctx, http.MethodPost, path+"/cancel", nil, nil, nil, nil)
	case event.ActionPause:
		_, err = c.call(ctx, http.MethodPatch, path, nil, nil, ReplayPatch{State: event.ReplayPaused}, nil)
	case event.ActionResume:
		_, err = c.call(ctx, http.MethodPatch, path, nil, nil, ReplayPatch{State: event.ReplayRunning}, nil)
	case event.ActionRate:
		_, err = c.call(ctx, http.MethodPatch, path, nil, nil, ReplayPatch{Rate: &perSecond}, nil)
	}
	return err
}

// Diff compares a replay's answers with the last ones from an endpoint, the replay's own when against is empty. It
// returns at most limit rows.
func (c *Client) Diff(ctx context.Context, id uuid.UUID, against string, limit int) (diff Diff, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if against != "" {
		query.Set("against", against)
	}
	return diff, c.get(ctx, "replays/"+id.String()+"/diff", query, &diff)
}

// AuditLog returns who has changed what, the newest first.
func (c *Client) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	var list AuditList
	err := c.get(ctx, "audit-log", url.Values{"limit": {strconv.Itoa(limit)}}, &list)
	return list.Entries, err
}
