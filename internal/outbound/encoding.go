package outbound

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
)

// Plain returns a reader of a body without its Content-Encoding. It knows gzip.
func Plain(encoding string, body []byte) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return bytes.NewReader(body), nil
	case "gzip", "x-gzip": // RFC 9110, section 8.4.1.3
		return gzip.NewReader(bytes.NewReader(body))
	}
	return nil, errors.New("it has a Content-Encoding other than gzip")
}
