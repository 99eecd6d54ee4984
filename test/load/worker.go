package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

const (
	dialTimeout = time.Second
	dialPause   = 20 * time.Millisecond
	holdPause   = 2 * time.Millisecond
	// patience is the timeout of an answer. It is renewed now and then, not for each request, because that costs a
	// timer.
	patience = 40 * time.Second
)

// worker is one connection, reopened when it breaks.
type worker struct {
	run    *Run
	ledger *Ledger

	conn     net.Conn
	reader   *bufio.Reader
	deadline time.Time
	body     []byte
	request  []byte
	answer   bytes.Buffer
}

func (w *worker) work(ctx context.Context) {
	defer w.disconnect()
	for ctx.Err() == nil {
		if w.run.held.Load() {
			sleepUntil(ctx, time.Now().Add(holdPause))
			continue
		}
		number, due, ok := w.run.take()
		if !ok || !sleepUntil(ctx, due) {
			return
		}
		if !w.connected(ctx) {
			w.ledger.Unsent++
			continue
		}
		if due.IsZero() {
			due = time.Now()
		}
		w.send(number, due)
	}
}

// sleepUntil waits until due. It returns false if ctx ends first.
func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if due.IsZero() || wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *worker) connected(ctx context.Context) bool {
	if w.conn != nil {
		return true
	}
	conn, err := net.DialTimeout("tcp", w.run.options.Addr, dialTimeout)
	if err != nil {
		sleepUntil(ctx, time.Now().Add(dialPause))
		return false
	}
	w.conn, w.deadline = conn, time.Time{}
	if w.reader == nil {
		w.reader = bufio.NewReaderSize(nil, 4<<10)
	}
	w.reader.Reset(conn)
	return true
}

func (w *worker) disconnect() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// send sends one request and records the result.
func (w *worker) send(number uint64, due time.Time) {
	w.build(number)
	if until := due.Add(patience); until.Sub(w.deadline) > patience/4 {
		w.deadline = until
		_ = w.conn.SetDeadline(until) // an error here shows at the next write
	}
	w.ledger.Sent++
	w.run.sent.Add(1)
	_, err := w.conn.Write(w.request)
	var response *http.Response
	var id uuid.UUID
	if err == nil {
		response, id, err = w.readAnswer()
	}
	switch {
	case err != nil:
		w.ledger.Broken++
	case response.StatusCode == http.StatusOK:
		w.ledger.Acks = append(w.ledger.Acks, Ack{ID: id, Number: number})
		w.ledger.latencies = append(w.ledger.latencies, uint32(time.Since(due).Microseconds()))
		w.run.acked.Add(1)
	default:
		w.ledger.Refused[response.StatusCode]++
		w.run.refused.Add(1)
	}
	if err != nil || response.Close {
		w.disconnect()
	}
}

// readAnswer reads a whole answer, and the event's id if it is a hook's 200. An endpoint's answer, in any format, has
// none.
func (w *worker) readAnswer() (response *http.Response, id uuid.UUID, err error) {
	if response, err = http.ReadResponse(w.reader, nil); err != nil {
		return nil, id, err
	}
	defer response.Body.Close() // reads the rest
	if response.StatusCode != http.StatusOK {
		return response, id, nil
	}
	w.answer.Reset()
	if _, err := w.answer.ReadFrom(response.Body); err != nil {
		return nil, id, fmt.Errorf("read an answer: %w", err)
	}
	var body struct{ ID uuid.UUID }
	_ = json.Unmarshal(w.answer.Bytes(), &body)
	return response, body.ID, nil
}

// build writes the request as BotHelp would send it.
func (w *worker) build(number uint64) {
	o := &w.run.options
	w.body = o.Bodies.Append(w.body[:0], number)
	b := append(append(append(w.request[:0], "POST /hooks/"...), o.Source...), '/')
	b = append(append(append(b, o.Token...), '/'), o.Bodies.Step(number)...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), o.Addr...)
	b = append(b, "\r\nUser-Agent: GuzzleHttp/7\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(w.body)), 10), "\r\n\r\n"...)
	w.request = append(b, w.body...)
}
