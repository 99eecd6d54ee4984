package api

import (
	"bytes"
	"cmp"
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

// Client calls the API of a hooktape. Its methods do the same as those of [Direct]. They return a [*Problem] that the
// API answered with, or ErrUnreachable.
type Client struct {
	base   *url.URL
	token  string
	client *http.Client

	watchTimeout time.Duration // how long the API may take for one progress of a replay
}

// ErrUnreachable means that the API does not answer.
var ErrUnreachable = errors.New("the API does not answer")

const (
	maxAnswerBytes = 64 << 20
	maxQueryBytes  = 4 << 10 // of a URL; a longer selection goes in a body
)

// NewClient returns a client of the API at a URL such as http://127.0.0.1:8081.
func NewClient(base, token string) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("invalid URL of the API: want one such as http://127.0.0.1:8081")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = requestTimeout + 10*time.Second
	// A redirect could send the token to another host.
	return &Client{base: u, token: token, watchTimeout: watchTimeout, client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// request is a request to the API. The zero value of an optional field leaves it out.
type request struct {
	method string
	path   string // below /api/v1
	query  url.Values
	header http.Header
	body   any // to be sent as JSON
}

// send returns a response with a status of 2xx.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := c.base.JoinPath("api/v1", r.path)
	u.RawQuery = r.query.Encode()
	var content io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), content)
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w at %s: %s", ErrUnreachable, c.base.Host, reason(err))
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		return nil, c.problem(response)
	}
	return response, nil
}

// reason returns the text of an error of net/http without the URL, which may be long.
func reason(err error) string {
	err = redact.WithoutURL(err)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}

// problem reads the problem from a response.
func (c *Client) problem(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // a truncated problem does not decode
	p := &Problem{}
	isProblem := strings.HasPrefix(response.Header.Get("Content-Type"), problemType)
	if isProblem && json.Unmarshal(text, p) == nil && p.Detail != "" {
		p.Status = response.StatusCode
		return p
	}
	return Problemf(response.StatusCode, "%s answered %s, but not as hooktape's API does; is that its URL?",
		c.base.Host, response.Status)
}

// call sends a request and decodes the response into out, unless out is nil. It returns the status.
func (c *Client) call(ctx context.Context, r request, out any) (status int, err error) {
	response, err := c.send(ctx, r)
	if err != nil {
		return 0, err
	}
	text, err := c.read(response)
	if err != nil || out == nil {
		return response.StatusCode, err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return 0, fmt.Errorf("%s answered, but not with the JSON of hooktape's API; is that its URL?", c.base.Host)
	}
	return response.StatusCode, nil
}

// read reads and closes the body of a response.
func (c *Client) read(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("%w to the end at %s: %s", ErrUnreachable, c.base.Host, reason(err))
	}
	return text, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, out)
	return err
}

func (c *Client) post(ctx context.Context, path string, body, out any) error {
	_, err := c.call(ctx, request{method: http.MethodPost, path: path, body: body}, out)
	return err
}

// WholeID returns the whole id of the object that a text names; see [Direct.WholeID].
func (c *Client) WholeID(ctx context.Context, kind event.Named, text string) (string, error) {
	if event.IsID(kind, text) {
		return strings.ToLower(text), nil
	}
	var found FoundID
	err := c.get(ctx, "ids/"+string(kind)+"/"+url.PathEscape(text), nil, &found)
	if p, ok := errors.AsType[*Problem](err); ok && len(p.Errors) == 1 {
		p.Detail, p.Errors = p.Errors[0].Message, nil // the place is one of this request
	}
	return found.ID, err
}

// Events returns a page of the selected events, newest first. The empty cursor is the beginning.
func (c *Client) Events(ctx context.Context, sel event.Selection, limit int, cursor string) (page EventPage,
	err error) {
	query := sel.Values()
	query.Set("limit", strconv.Itoa(limit))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if len(query.Encode()) < maxQueryBytes {
		return page, c.get(ctx, "events", query, &page)
	}
	return page, c.post(ctx, "events/search", EventSearch{sel, limit, cursor}, &page)
}

// Event returns an event with its request and its deliveries.
func (c *Client) Event(ctx context.Context, id uuid.UUID) (e Event, err error) {
	return e, c.get(ctx, "events/"+id.String(), nil, &e)
}

// Body returns the bytes of an event's body.
func (c *Client) Body(ctx context.Context, id uuid.UUID) ([]byte, error) {
	response, err := c.send(ctx, request{method: http.MethodGet, path: "events/" + id.String() + "/raw"})
	if err != nil {
		return nil, err
	}
	return c.read(response)
}

// Accept accepts rejected requests after all; see [Direct.Accept].
func (c *Client) Accept(ctx context.Context, ids []uuid.UUID) (list AcceptedList, err error) {
	return list, c.post(ctx, "events/accept", map[string]any{"ids": ids}, &list)
}

// SavedViews returns the saved views, by name.
func (c *Client) SavedViews(ctx context.Context) ([]SavedView, error) {
	var list SavedViewList
	err := c.get(ctx, "views", nil, &list)
	return list.Views, err
}

// SaveView saves filters under a name, or replaces those under that name.
func (c *Client) SaveView(ctx context.Context, name, query string) error {
	_, err := c.call(ctx, request{method: http.MethodPut, path: "views/" + url.PathEscape(name),
		body: map[string]string{"query": query}}, nil)
	return err
}

// DeleteView deletes a view.
func (c *Client) DeleteView(ctx context.Context, name string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "views/" + url.PathEscape(name)}, nil)
	return err
}

// Endpoints lists the configured endpoints.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var list EndpointList
	err := c.get(ctx, "endpoints", nil, &list)
	return list.Endpoints, err
}

// SteerEndpoint pauses or resumes all deliveries to an endpoint, live and in replays.
func (c *Client) SteerEndpoint(ctx context.Context, name string, action event.Action, reason string) error {
	r := request{method: http.MethodPost, path: "endpoints/" + url.PathEscape(name) + "/" + string(action)}
	if reason != "" {
		r.query = url.Values{"reason": {reason}}
	}
	_, err := c.call(ctx, r, nil)
	return err
}

// Deliveries returns a page of the selected deliveries, those of the newest events first. The empty cursor is the
// beginning.
func (c *Client) Deliveries(ctx context.Context, sel event.DeliverySelection, limit int,
	cursor string) (page DeliveryPage, err error) {
	query := sel.Values()
	query.Set("limit", strconv.Itoa(limit))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return page, c.get(ctx, "deliveries", query, &page)
}

// Delivery returns a delivery with its attempts.
func (c *Client) Delivery(ctx context.Context, id event.DeliveryID) (d Delivery, err error) {
	return d, c.get(ctx, "deliveries/"+id.String(), nil, &d)
}

// FailureGroups groups the selected deliveries that failed, those seen last first; at most limit.
func (c *Client) FailureGroups(ctx context.Context, sel event.DeliverySelection, limit int) (list FailureGroupList,
	err error) {
	query := sel.Values()
	query.Set("limit", strconv.Itoa(limit))
	return list, c.get(ctx, "deliveries/groups", query, &list)
}

// RetryDeliveries tries selected deliveries again. Another call with the same key creates no further replays.
func (c *Client) RetryDeliveries(ctx context.Context, key string, want DeliveryRetry) (result Retried, err error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	_, err = c.call(ctx, request{method: http.MethodPost, path: "deliveries/retry", header: header, body: want},
		&result)
	return result, err
}

// Plan computes the effect of a replay without creating it.
func (c *Client) Plan(ctx context.Context, want replay.Request) (plan Plan, err error) {
	return plan, c.post(ctx, "replays", NewReplay{Request: withDefaults(want), DryRun: true}, &plan)
}

// Create creates a replay, which then runs. Another call with the same key returns the replay of the first call, unless
// the key is empty. Create returns replay.ErrNothing when there is nothing to send.
func (c *Client) Create(ctx context.Context, key string, want replay.Request) (r event.Replay, err error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	status, err := c.call(ctx, request{method: http.MethodPost, path: "replays", header: header,
		body: NewReplay{Request: withDefaults(want)}}, &r)
	if err == nil && status == http.StatusOK {
		return event.Replay{}, replay.ErrNothing
	}
	return r, err
}

// withDefaults sets options that are empty, which the API does not accept.
func withDefaults(want replay.Request) replay.Request {
	want.Order = cmp.Or(want.Order, event.OrderNone)
	want.Mode = cmp.Or(want.Mode, event.ModeUndelivered)
	want.Retry = cmp.Or(want.Retry, event.RetryEndpoint)
	return want
}

// Replays lists replays, newest first: those created before the given one unless it is uuid.Nil, in one of the states
// if there are any.
func (c *Client) Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay,
	error) {
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

// Replay returns a replay with its counts.
func (c *Client) Replay(ctx context.Context, id uuid.UUID) (r event.Replay, err error) {
	return r, c.get(ctx, "replays/"+id.String(), nil, &r)
}

// Steer pauses, resumes or cancels a replay, or changes its rate (perSecond). The delivering process follows within a
// second.
func (c *Client) Steer(ctx context.Context, id uuid.UUID, action event.Action, perSecond float64, reason string) error {
	path := "replays/" + id.String()
	var patch ReplayPatch
	switch action {
	case event.ActionCancel:
		return c.post(ctx, path+"/cancel", nil, nil)
	case event.ActionPause:
		patch.State, patch.Reason = event.ReplayPaused, reason
	case event.ActionResume:
		patch.State = event.ReplayRunning
	case event.ActionRate:
		patch.Rate = &perSecond
	}
	_, err := c.call(ctx, request{method: http.MethodPatch, path: path, body: patch}, nil)
	return err
}

// Diff compares a replay's answers with the last ones of an endpoint; of the replay's own endpoint if against is empty.
// It returns at most limit rows.
func (c *Client) Diff(ctx context.Context, id uuid.UUID, against string, limit int) (diff Diff, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if against != "" {
		query.Set("against", against)
	}
	return diff, c.get(ctx, "replays/"+id.String()+"/diff", query, &diff)
}

// CreateLoginLink creates a link that logs in to the console once.
func (c *Client) CreateLoginLink(ctx context.Context, role Role) (link LoginLink, err error) {
	return link, c.post(ctx, "login-links", NewLoginLink{cmp.Or(role, RoleAdmin)}, &link)
}

// AuditLog returns the newest entries of the audit log, the newest first.
func (c *Client) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	var list AuditPage
	err := c.get(ctx, "audit-log", url.Values{"limit": {strconv.Itoa(limit)}}, &list)
	return list.Entries, err
}
