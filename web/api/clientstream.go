package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
)

const (
	// streamSilence ends a connection on which no message arrives; a server sends one every second.
	streamSilence   = 15 * time.Second
	maxMessageBytes = 8 << 20 // a selection may name 100,000 ids
)

// errEnd reports the regular end of a stream.
var errEnd = errors.New("the replay has ended")

// Watch calls each with a replay's progress, immediately and then every second, until the replay has ended, each
// returns an error, or ctx ends. While the connection is lost, it calls each with the reason and the last known
// progress, and reconnects with growing pauses.
func (c *Client) Watch(ctx context.Context, id uuid.UUID, each func(p Progress, lost error) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 300*time.Millisecond, 10*time.Second
	var last Progress
	for {
		err := c.stream(ctx, id, func(p Progress) error {
			last = p
			pause.Reset()
			return each(p, nil)
		})
		if errors.Is(err, errEnd) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if final, ok := errors.AsType[*finalError](err); ok {
			return final.error
		}
		if p, ok := errors.AsType[*Problem](err); ok && p.Status < 500 {
			return err
		}
		if err := each(last, err); err != nil {
			return err
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finalError is an error that another connection would not solve.
type finalError struct{ error }

// stream reads one stream. It returns errEnd, or why the stream broke off.
func (c *Client) stream(ctx context.Context, id uuid.UUID, each func(Progress) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.send(ctx, request{method: http.MethodGet, path: "replays/" + id.String() + "/stream",
		header: http.Header{"Accept": {"text/event-stream"}}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return &finalError{Problemf(response.StatusCode,
			"%s answered, but not with a stream of hooktape's API; is that its URL?", c.base.Host)}
	}
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()
	err = readMessages(response.Body, func(name, data string) error {
		silence.Reset(streamSilence)
		var p Progress
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			return fmt.Errorf("decode a message of the stream: %w", err)
		}
		if err := each(p); err != nil {
			return &finalError{err}
		}
		if name == "end" {
			return errEnd
		}
		return nil
	})
	if _, final := errors.AsType[*finalError](err); final || errors.Is(err, errEnd) {
		return err
	}
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the connection to %s was closed", ErrUnreachable, c.base.Host)
	}
	return fmt.Errorf("%w: the connection to %s broke: %s", ErrUnreachable, c.base.Host, reason(err))
}

// readMessages calls each with the name and data of every complete message of a stream of Server-Sent Events.
func readMessages(r io.Reader, each func(name, data string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMessageBytes)
	var name string
	var data []string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && data != nil:
			if err := each(name, strings.Join(data, "\n")); err != nil {
				return err
			}
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value)
		}
	}
	return lines.Err()
}
