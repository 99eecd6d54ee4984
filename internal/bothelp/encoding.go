package bothelp

import (
	"bytes"
	"compress/gzip"
	"io"
	"strconv"
	"strings"

	"hooktape/internal/event"
)

// plain returns the body without its Content-Encoding, which is gzip if it is any: a body with another one, or several, is
// returned as it is, as is one that is not compressed at all, whatever the header says. Of damaged gzip it returns the text
// before the damage. It decompresses at most most bytes.
func (d *decoding) plain(req *event.Received, most int) []byte {
	coding := strings.ToLower(header(req, "Content-Encoding"))
	switch {
	case coding == "" || coding == "identity" || len(req.Body) == 0:
		return req.Body
	case coding != "gzip" && coding != "x-gzip":
		d.faults.ofBody("unsupported Content-Encoding " + label([]byte(coding)) + ": only gzip is decoded")
		return req.Body
	}
	r, err := gzip.NewReader(bytes.NewReader(req.Body))
	if err != nil {
		d.faults.ofBody("not " + coding + ", as its Content-Encoding says")
		return req.Body
	}
	limit := min(most, minPlain+maxRatio*len(req.Body))
	var text bytes.Buffer
	n, err := text.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case n > int64(limit):
		d.faults.ofBody("longer than " + strconv.Itoa(limit) + " bytes when decompressed")
		text.Truncate(limit)
	case err != nil:
		d.faults.ofBody("its " + coding + " is damaged after " + strconv.FormatInt(n, 10) + " bytes of text")
	}
	return text.Bytes()
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
