package push

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// transport gives the client library a context, and errors with a status. The library itself only has errors with the
// status in their text. It handles 404 itself.
type transport struct {
	ctx  context.Context
	next *http.Transport
}

// RoundTrip implements http.RoundTripper, except that an error status is an error and no response.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r.WithContext(t.ctx))
	if err != nil || response.StatusCode < http.StatusMultipleChoices || response.StatusCode == http.StatusNotFound {
		return response, err
	}
	defer response.Body.Close()
	if location, err := response.Location(); err == nil && response.StatusCode < http.StatusBadRequest {
		return nil, &redirect{location}
	}
	return nil, refusalOf(response)
}

// redirect is the error for a redirect. It is not followed: a POST would become a GET, and the token would go to any
// host.
type redirect struct{ to *url.URL }

func (r *redirect) Error() string { return "redirected" }

// base returns the scheme and host of the target. Its path is that of one request.
func (r *redirect) base() string { return (&url.URL{Scheme: r.to.Scheme, Host: r.to.Host}).String() }

// refusal is the error for a status of 400 and above, except 404.
type refusal struct {
	status  int
	message string
	kind    string // Grafana's code for the reason, or empty
}

func (r *refusal) Error() string { return r.message }

// maxMessage limits how many bytes of an error response are read.
const maxMessage = 4 << 10

func refusalOf(response *http.Response) *refusal {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	said := struct{ Message, Status string }{}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = fmt.Sprintf("status %d", response.StatusCode)
	}
	message, _, _ := strings.Cut(said.Message, "\n")
	return &refusal{response.StatusCode, message, said.Status}
}
