package ingest

import (
	"bytes"
	"errors"
	"strconv"
	"sync/atomic"
)

// framing looks at the headers of a connection of HTTP/1 for requests that have both Content-Length and
// Transfer-Encoding. Two servers in a row may read such a request differently: what one takes for its body is another
// request to the other. RFC 9112, section 6.1, allows to refuse it; net/http instead removes the Content-Length before any
// handler sees the request. So the bytes are looked at on their way to net/http.
//
// A header that follows a body with a Content-Length is found by counting. Behind a chunked body nothing is looked at: the
// connection ends with that request (see Server.admitted), as section 6.1 demands of a server that accepts both.
type framing struct {
	line     []byte // the start of the line that is being read
	lines    int    // read so far of this header
	length   int64  // of the body, by Content-Length; -1 when that is not a number
	measured bool   // there is a Content-Length
	encoded  bool   // there is a Transfer-Encoding
	body     int64  // bytes of the body that are still to come
	refused  bool

	// opaque is set when the end of the body is not known. Handlers read it as well.
	opaque atomic.Bool
}

// lineStart is how much of a line is looked at.
const lineStart = 64

var (
	colon            = []byte(":")
	transferEncoding = []byte("Transfer-Encoding")
	contentLength    = []byte("Content-Length")
)

var errTwoLengths = errors.New("the request has both Content-Length and Transfer-Encoding")

// check looks at bytes that were read, and returns how many of them net/http may see and how many belong to headers. Of a
// request that is refused net/http sees the start, so that it has something to answer, and then an error.
func (f *framing) check(read []byte) (seen, header int, err error) {
	for at := 0; at < len(read) && !f.opaque.Load(); {
		if f.body > 0 {
			n := min(f.body, int64(len(read)-at))
			f.body -= n
			at += int(n)
			continue
		}
		part := read[at:]
		end := bytes.IndexByte(part, '\n')
		if end >= 0 {
			part = part[:end+1]
		}
		at += len(part)
		header += len(part)
		if end < 0 || len(f.line) > 0 { // the line is in several reads
			f.line = append(f.line, part[:min(len(part), lineStart-len(f.line))]...)
			part = f.line
		}
		if end < 0 {
			break
		}
		f.endLine(part)
		f.line = f.line[:0]
		if f.refused = f.measured && f.encoded; f.refused {
			return at - (end + 1), header, errTwoLengths
		}
	}
	return len(read), header, nil
}

// endLine reads a whole line. An empty one ends the header, unless it precedes the request: net/http allows that.
func (f *framing) endLine(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		if f.lines > 0 {
			f.opaque.Store(f.encoded || f.length < 0)
			f.body = f.length
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
		if err != nil || len(line) >= lineStart { // of which the end may be cut off
			f.length = -1
		}
	}
}
