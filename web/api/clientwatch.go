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
	// streamSilence is how long a stream may say nothing before it is taken for dead: it says something each second.
	streamSilence = 15 * time.Second
	maxMessage    = 8 << 20 // a selection may name 100,000 ids
)

// errEnd ends the reading of a stream at its end.
var errEnd = errors.New("the replay is at its end")

// Watch calls each with a replay's progress, at once and then each second, until it is at its end, each returns an error,
// or ctx ends. While the connection is lost, each is called with the reason and the progress known last; it is made
// again at growing intervals.
func (c *Client) Watch(ctx context.Context, id uuid.UUID, each func(p Progress, lost error) error) error {
	again := backoff.NewExponentialBackOff()
	again.InitialInterval, again.MaxInterval = 300*time.Millisecond, 10*time.Second
	var last Progress
	for {
		err := c.stream(ctx, id, func(p Progress) error {
			last = p
			again.Reset()
			return each(p, nil)
		})
		if errors.Is(err, errEnd) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if stopped, ok := errors.AsType[*stoppedError](err); ok {
			return stopped.by
		}
		if p, ok := errors.AsType[*Problem](err); ok && p.Status < 500 {
			return err
		}
		if err := each(last, err); err != nil {
			return err
		}
		select {
		case <-time.After(again.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stoppedError is an error of the watcher's own, which no new connection mends.
type stoppedError struct{ by error }

func (e *stoppedError) Error() string { return e.by.Error() }

// stream reads one stream to its end: errEnd, or why there is no more of it.
func (c *Client) stream(ctx context.Context, id uuid.UUID, each func(Progress) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.send(ctx, http.MethodGet, "replays/"+id.String()+"/stream", nil, http.Header{"Accept": {"text/event-stream"}}, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return &stoppedError{problem(response.StatusCode, "%s answered what is no stream of hooktape's API; is that its URL?", c.base.Host)}
	}
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()
	err = readMessages(response.Body, func(name, data string) error {
		silence.Reset(streamSilence)
		var p Progress
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			return fmt.Errorf("a message of the stream is no progress: %w", err)
		}
		if err := each(p); err != nil {
			return &stoppedError{err}
		}
		if name == "end" {
			return errEnd
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnd):
		return err
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection to %s was closed", ErrUnreachable, c.base.Host)
	}
	if _, ok := errors.AsType[*stoppedError](err); ok {
		return err
	}
	return fmt.Errorf("%w: the connection to %s broke: %s", ErrUnreachable, c.base.Host, reason(err))
}

// readMessages calls each with the name and data of every whole message of a stream of Server-Sent Events.
func readMessages(r io.Reader, each func(name, data string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMessage)
	name, data := "", []string(nil)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() != "" && key == "event":
			name = value
		case lines.Text() != "" && key == "data":
			data = append(data, value)
		case lines.Text() == "" && data != nil:
			if err := each(name, strings.Join(data, "\n")); err != nil {
				return err
			}
			name, data = "", nil
		}
	}
	return lines.Err()
}
