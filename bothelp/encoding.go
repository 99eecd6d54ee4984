package bothelp

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"hooktape/event"
)

// plain returns the body without its Content-Encoding. Where that cannot be undone it returns what came out until the
// fault; a body that is not compressed at all, whatever the header says, as it is.
func (d *decoding) plain(req *event.Received) []byte {
	coding := strings.ToLower(header(req, "Content-Encoding"))
	if coding == "" || coding == "identity" || len(req.Body) == 0 {
		return req.Body
	}
	r, err := decompressor(coding, req.Body)
	switch {
	case errors.Is(err, errCoding):
		d.faults.ofBody("unknown Content-Encoding " + label([]byte(coding)))
		return req.Body
	case err != nil:
		d.faults.ofBody("not " + coding + ", as its Content-Encoding says")
		return req.Body
	}
	defer r.Close()
	limit := min(maxPlain, minPlain+maxRatio*len(req.Body))
	var text bytes.Buffer
	n, err := text.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case n > int64(limit):
		d.faults.ofBody("longer than " + strconv.Itoa(limit) + " bytes when decompressed")
		text.Truncate(limit)
	case err != nil && (n == 0 || req.Body[0] == '{'): // the bare formats yield something from JSON before they fail
		d.faults.ofBody("not " + coding + ", as its Content-Encoding says")
		return req.Body
	case err != nil:
		d.faults.ofBody("its " + coding + " is damaged after " + strconv.FormatInt(n, 10) + " bytes of text")
	}
	return text.Bytes()
}

var errCoding = errors.New("unknown coding")

// decompressor returns a reader of the plain text, or errCoding for a coding that it does not know. Several codings on
// top of each other are such a one: each could be a bomb to the next.
func decompressor(coding string, body []byte) (io.ReadCloser, error) {
	src := bytes.NewReader(body)
	switch coding {
	case "gzip", "x-gzip":
		return closer(gzip.NewReader(src))
	case "deflate":
		// RFC 9110 means zlib; many senders leave its frame away.
		if len(body) >= 2 && body[0]&0x0f == 8 && (int(body[0])<<8|int(body[1]))%31 == 0 {
			return zlib.NewReader(src)
		}
		return flate.NewReader(src), nil
	case "br":
		return io.NopCloser(brotli.NewReader(src)), nil
	case "zstd":
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxPlain))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, errCoding
}

// closer keeps a nil *gzip.Reader from becoming an interface that is not nil.
func closer(r *gzip.Reader, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// header returns the value of a request header; of one that came more than once all values, as one list.
func header(req *event.Received, name string) string {
	value := ""
	for _, h := range req.Headers {
		switch {
		case !strings.EqualFold(h.Name, name):
		case value == "":
			value = strings.TrimSpace(h.Value)
		default:
			value += ", " + strings.TrimSpace(h.Value)
		}
	}
	return value
}
