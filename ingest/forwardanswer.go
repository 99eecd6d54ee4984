package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // the bot may have left, or the status allows no body
}

// answer passes a response on as it arrives. Its errors are recorded in the attempt.
func (x *exchange) answer(w http.ResponseWriter, response *http.Response) {
	arrived := outbound.Classify(response)
	a := &x.attempt
	a.Outcome, a.StatusCode, a.Error, a.ResponseHeaders = arrived.Outcome, arrived.Status, arrived.Err, arrived.Headers
	x.result = resultAnswered

	header := w.Header()
	header["Content-Type"] = nil // net/http would guess one
	for _, h := range outbound.EndToEnd(arrived.Headers) {
		header[h.Name] = append(header[h.Name], h.Value)
	}
	w.WriteHeader(response.StatusCode)
	body := &kept{most: outbound.KeptBytes, memory: &x.judged.memory}
	if len(x.Expect) > 0 {
		body.most = int(x.MaxAnswer)
	}
	x.stream(w, response, body)
	a.ResponseBytes = body.size
	a.ResponseBody = bytes.Clone(body.start[:min(len(body.start), outbound.KeptBytes)])
	if len(x.Expect) > 0 && x.result == resultAnswered {
		x.expect(response.Header.Get("Content-Encoding"), body)
	}
}

// buffers are used to copy answers.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// stream copies a body to the bot, each part at once, and breaks the answer off if the body breaks off.
func (x *exchange) stream(w http.ResponseWriter, response *http.Response, body *kept) {
	control := http.NewResponseController(w)
	if response.ContentLength < 0 {
		_ = control.Flush() // the body may take its time; an error returns with the next write
	}
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for {
		begun := time.Now()
		n, err := response.Body.Read(buffer[:])
		x.waited += time.Since(begun)
		body.add(buffer[:n])
		if n > 0 {
			_, lost := w.Write(buffer[:n])
			if lost == nil && uint64(response.ContentLength) != body.size { // the last part is flushed with the end
				lost = control.Flush()
			}
			if lost != nil {
				x.result, x.judged.broken = resultBotLeft, true
				x.attempt.Error = "the bot closed the connection, or did not read, before the end of the answer"
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			x.breakOff(err)
			return
		}
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

// kept is the start of an answer's body, and the size of all of it.
type kept struct {
	start  []byte
	most   int
	size   uint64
	memory *reservation
	cut    bool // start is not all of it
}

func (k *kept) add(part []byte) {
	k.size += uint64(len(part))
	room := min(len(part), k.most-len(k.start))
	if need := len(k.start) + room; !k.cut && need > max(cap(k.start), outbound.KeptBytes) {
		more := min(max(need, 2*cap(k.start)), k.most) - cap(k.start)
		if !k.memory.grow(int64(more), forForward) {
			room = max(outbound.KeptBytes-len(k.start), 0)
			k.most = len(k.start) + room
		}
	}
	k.start = append(k.start, part[:room]...)
	k.cut = k.cut || room < len(part)
}

// expect records which of the expected keys a whole answer does not have.
func (x *exchange) expect(encoding string, body *kept) {
	text, err := readable(encoding, body, x.MaxAnswer)
	if err != nil {
		if x.attempt.Error == "" {
			x.attempt.Error = "the answer was not searched for the expected keys: " + err.Error()
		}
		return
	}
	x.attempt.MissingKeys = missingKeys(x.Expect, text)
}

// readable returns a body without its Content-Encoding.
func readable(encoding string, body *kept, most int64) ([]byte, error) {
	switch {
	case body.cut:
		return nil, fmt.Errorf("it has %d bytes, which is more than max_answer, or more than memory was left for",
			body.size)
	case encoding == "" || encoding == "identity":
		return body.start, nil
	case encoding != "gzip":
		return nil, fmt.Errorf("it has a Content-Encoding other than gzip")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body.start))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(unzipped, most+1))
	if err == nil && int64(len(text)) > most {
		err = errors.New("unzipped it has more than max_answer")
	}
	return text, err
}
