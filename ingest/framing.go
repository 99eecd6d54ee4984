package ingest

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// framing parses the heads of a connection's HTTP/1 requests on their way to net/http, for three reasons:
//
//   - net/http answers 400 to an invalid request target. BotHelp sends such targets: a label with a bare % or a space,
//     a macro that was not filled in. framing passes a placeholder to net/http, and the original target to the handler.
//   - No handler sees a request that net/http refuses. framing keeps the start of each request until a handler has it,
//     for the audit of refused requests (see stream.Write).
//   - Two servers in a row may read a request with both Content-Length and Transfer-Encoding differently: one takes for
//     a body what the other takes for another request. RFC 9112, section 6.1, permits refusing it; net/http instead
//     removes the Content-Length before any handler sees the request.
//
// framing finds the head after a body with a Content-Length by counting. It inspects nothing after a chunked body: the
// connection ends with that request (see Server.admitted), as section 6.1 demands of a server that accepts both.
type framing struct {
	longest  int    // maximal length of a request line that waits for its end
	line     []byte // the start of the unfinished line; all of a request line
	passed   int    // bytes of an unfinished request line that net/http has
	lines    int    // read so far of this head
	within   bool   // a head has begun and its request has not ended
	length   int64  // of the body, by Content-Length; -1 when that is not a number
	measured bool   // there is a Content-Length
	encoded  bool   // there is a Transfer-Encoding
	body     int64  // bytes of the body that are still to come
	refused  error  // the error of net/http's next read

	// opaque is set when the end of the body is unknown. Handlers read it too.
	opaque atomic.Bool

	mu    sync.Mutex // net/http reads ahead while a handler runs
	heads []head     // of requests that no handler has yet
	spare []byte     // buffer of a handled head, for the next one
}

// head is the start of a request that net/http has not parsed yet.
type head struct {
	target string // as received
	start  []byte // the first malformedBytes of the request
}

const (
	// usualHead is the initial size of the buffer for the start of a request.
	usualHead = 1 << 10
	// lineStart is the length of the inspected start of a header line.
	lineStart = 64
	// placeholder replaces a target that net/http would refuse.
	placeholder = "/"
)

var (
	colon            = []byte(":")
	transferEncoding = []byte("Transfer-Encoding")
	contentLength    = []byte("Content-Length")
)

var (
	errTwoLengths = errors.New("the request has both Content-Length and Transfer-Encoding")
	errNotHTTP    = errors.New("the request does not begin with a method")
	errHTTP2      = errors.New("the request begins with the preface of HTTP/2")
)

// http2Preface begins a connection whose client assumes HTTP/2 (RFC 9113, section 3.4). net/http would pass it to a
// handler.
var http2Preface = []byte("PRI * HTTP/2.0\r\n")

// next removes and returns the oldest head: that of the request that net/http has refused.
func (f *framing) next() (h head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.heads) > 0 {
		h = f.heads[0]
		f.heads = slices.Delete(f.heads, 0, 1)
	}
	return h
}

// begun removes the head of the request that a handler begins to handle, and returns its target.
func (f *framing) begun() string {
	h := f.next()
	f.mu.Lock()
	defer f.mu.Unlock()
	if cap(h.start) <= usualHead { // an idle connection must not hold a large buffer
		f.spare = h.start[:0]
	}
	return h.target
}

// note keeps bytes of the current request until a handler has it.
func (f *framing) note(part []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.within {
		f.within = true
		f.heads = append(f.heads, head{start: slices.Grow(f.spare, usualHead)})
		f.spare = nil
	}
	if n := len(f.heads); n > 0 {
		last := &f.heads[n-1]
		last.start = append(last.start, part[:min(len(part), malformedBytes-len(last.start))]...)
	}
}

// setTarget sets the target of the current request.
func (f *framing) setTarget(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.heads); n > 0 {
		f.heads[n-1].target = target
	}
}

// check inspects read bytes. It returns the bytes, of these and earlier ones, that net/http may see, and how many bytes
// belong to heads. net/http sees the start of a refused request too, because it must answer it.
func (f *framing) check(read []byte) (seen []byte, header int) {
	at, from := 0, 0 // net/http sees seen, then read[from:at]
	for at < len(read) && !f.opaque.Load() {
		begun, part := at, read[at:]
		if f.body > 0 {
			part = part[:min(f.body, int64(len(part)))]
			f.note(part)
			at += len(part)
			f.body -= int64(len(part))
			f.within = f.body > 0
			continue
		}
		end := bytes.IndexByte(part, '\n')
		if end >= 0 {
			part = part[:end+1]
		}
		at += len(part)
		header += len(part)
		first := f.lines == 0
		if first && len(f.line) == 0 && !startsRequest(part[0]) {
			f.note(read[begun:])
			f.refused = errNotHTTP
			return append(seen, read[from:]...), header
		}
		f.note(part)
		line := part
		if end < 0 || len(f.line) > 0 { // the line is in several reads
			if !first {
				part = part[:min(len(part), lineStart-len(f.line))]
			}
			f.line = append(f.line, part...)
			line = f.line
		}
		if first && bytes.Equal(line, http2Preface) {
			f.note(read[at:])
			f.refused = errHTTP2
			return append(seen, read[from:begun]...), header
		}
		if first {
			out := f.requestLine(line, end >= 0)
			if len(f.line) > 0 || len(out) != len(line) {
				seen = append(append(seen, read[from:begun]...), out[f.passed:]...)
				from = at
			}
			f.passed = len(out)
		}
		if end < 0 {
			break
		}
		f.endLine(line)
		f.line, f.passed = f.line[:0], 0
		if f.measured && f.encoded {
			f.note(read[at:])
			f.refused = errTwoLengths
			return append(seen, read[from:begun]...), header
		}
	}
	if at < len(read) {
		f.note(read[at:])
	}
	if from == 0 {
		return read, header
	}
	return append(seen, read[from:]...), header
}

// startsRequest reports whether a request can start with b: an empty line may precede its method. TLS does not start
// so, and would wait for an answer before it sends a line's end.
func startsRequest(b byte) bool { return b == '\r' || b == '\n' || b > ' ' && b < 0x7f }

// requestLine returns the part of a request line that net/http sees: the method of an incomplete line, because the
// target may have to be replaced, or all of a line that is too long to wait for its end.
func (f *framing) requestLine(line []byte, whole bool) []byte {
	space := bytes.IndexByte(line, ' ')
	switch {
	case !whole && (space < 0 || len(line) > f.longest):
		return line
	case !whole:
		return line[:max(f.passed, space+1)]
	case space < 0 || f.passed > space+1:
		return line
	}
	method, rest := string(line[:space]), line[space+1:]
	last := bytes.LastIndexByte(rest, ' ')
	if last < 0 {
		return line
	}
	target := strings.Trim(string(rest[:last]), " ")
	f.setTarget(target)
	version := strings.TrimRight(string(rest[last+1:]), "\r\n")
	_, _, valid := http.ParseHTTPVersion(version)
	switch {
	case !valid || target == "": // not HTTP
		return line
	case strings.Contains(target, "\r"): // which ends a line to some servers: see RFC 9112, section 2.2
		return line
	case len(target) == last && (plain(target) || parses(method, target)):
		return line
	}
	return slices.Concat(line[:space+1], []byte(placeholder), rest[last:])
}

// plain reports whether a target is a path that net/http certainly accepts.
func plain(target string) bool {
	if target[0] != '/' {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '%' {
			return false
		}
	}
	return true
}

// parses reports whether net/http accepts a target, which it parses like net/http.
func parses(method, target string) bool {
	if method == http.MethodConnect && target[0] != '/' {
		target = "http://" + target
	}
	_, err := url.ParseRequestURI(target)
	return err == nil && !strings.Contains(target, " ")
}

// endLine parses a complete line. An empty one ends the head, unless it precedes the request, which net/http allows.
func (f *framing) endLine(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		if f.lines > 0 {
			f.opaque.Store(f.encoded || f.length < 0)
			f.body = f.length
			f.within = f.body != 0 || f.opaque.Load()
			f.lines, f.length, f.measured, f.encoded = 0, 0, false, false
		}
		return
	}
	f.lines++
	name, value, _ := bytes.Cut(line, colon)
	switch {
	case f.lines == 1: // the request line
	case bytes.EqualFold(name, transferEncoding):
		f.encoded = true
	case bytes.EqualFold(name, contentLength):
		f.measured = true
		length, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		f.length = int64(length)
		if err != nil || len(line) >= lineStart { // whose end may be cut off
			f.length = -1
		}
	}
}
