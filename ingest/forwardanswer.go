package ingest

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

// write answers with a.
func (a *Answer) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	for _, h := range a.Headers {
		header.Del(h.Name)
	}
	for _, h := range a.Headers {
		header.Add(h.Name, h.Value)
	}
	if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(len(a.Body))) // the bot has the end even if the handler goes on
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // the bot may have left, or the status allows no body
}

// buffers are used to copy answers.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// answer passes a response on as it arrives, and records it. It returns an error if not even the start of the body
// arrives: then the bot has no answer yet.
func (x *exchange) answer(w http.ResponseWriter, response *http.Response) error {
	arrived := outbound.Classify(response)
	a := &x.attempt
	a.Outcome, a.StatusCode, a.Error, a.ResponseHeaders = arrived.Outcome, arrived.Status, arrived.Err, arrived.Headers

	x.answered = answerBody{most: outbound.KeptBytes, memory: &x.memory,
		encoding: response.Header.Get("Content-Encoding")}
	if len(x.Expect) > 0 {
		x.answered.most = int(x.MaxAnswer)
	}
	defer func() {
		a.ResponseBytes = x.answered.size
		a.ResponseBody = x.answered.start[:min(len(x.answered.start), outbound.KeptBytes)]
	}()
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	n, err := x.read(response, buffer[:])
	if err != nil && err != io.EOF {
		return err
	}
	header := w.Header()
	header["Content-Type"] = nil // net/http would guess one
	for _, h := range outbound.EndToEnd(arrived.Headers) {
		header[h.Name] = append(header[h.Name], h.Value)
	}
	if response.ContentLength < 0 { // it arrived without a valid length: net/http frames the answer
		delete(header, "Content-Length")
	}
	x.result = resultAnswered
	x.noteBotLeft()
	w.WriteHeader(response.StatusCode)
	x.pass(w, response, buffer[:], n, err)
	return nil
}

// read reads and keeps a part of a response's body.
func (x *exchange) read(response *http.Response, buffer []byte) (int, error) {
	begun := time.Now()
	n, err := response.Body.Read(buffer)
	x.waited += time.Since(begun)
	_, _ = x.answered.Write(buffer[:n])
	return n, err
}

// pass passes a body on to the bot, each part at once, from its first part of n bytes on. It breaks the answer off if
// the body breaks off.
func (x *exchange) pass(w http.ResponseWriter, response *http.Response, buffer []byte, n int, err error) {
	control := http.NewResponseController(w)
	for {
		// Without a body the header is written all the same: gin answers 404 to requests without a route.
		_, lost := w.Write(buffer[:n])
		if lost == nil && uint64(response.ContentLength) != x.answered.size { // the last part is flushed with the end
			lost = control.Flush()
		}
		switch {
		case lost != nil:
			x.result, x.judged.broken = resultBotLeft, true
			x.addError("the bot closed the connection, or did not read, before the end of the answer")
			return
		case err == io.EOF:
			x.answered.whole = true
			return
		case err != nil:
			x.breakOff(err)
			return
		}
		n, err = x.read(response, buffer)
	}
}

// breakOff records that the endpoint did not end its answer, and has the bot see the same.
func (x *exchange) breakOff(err error) {
	x.result, x.judged.broken = resultBrokenOff, true
	x.attempt.Outcome, x.attempt.Error = event.OutcomeBroken, err.Error()
	if failed, ok := errors.AsType[*outbound.Error](err); ok && failed.Outcome != event.OutcomeNoConn {
		x.attempt.Outcome = failed.Outcome
	}
}
