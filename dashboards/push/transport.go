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

// transport adds a context and errors with a status to the client library, which only has a text with the status. The
// library handles 404 itself.
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

// redirect is an answer from another place. It is not followed: a POST would become a GET, and the token would go along
// to wherever it leads.
type redirect struct{ to *url.URL }

func (r *redirect) Error() string { return "redirected" }

// base is the address that is led to, without what follows the host: it is no path of ours.
func (r *redirect) base() string { return (&url.URL{Scheme: r.to.Scheme, Host: r.to.Host}).String() }

// refusal is an answer that says no.
type refusal struct {
	status  int
	message string
	kind    string // Grafana's own word for it, where it has one
}

func (r *refusal) Error() string { return r.message }

// maxMessage is more than any of Grafana's messages.
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
