package chhttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/ClickHouse/ch-go/compress"
)

const (
	// maxBodyInMemory is how much of a request's body is kept in memory; the rest goes to a file.
	maxBodyInMemory = 4 << 20
	// maxStatement bounds the text of a statement, which must be in memory. An INSERT's data does not count.
	maxStatement = 8 << 20
)

// spool holds a request's body until it is complete. The statement runs only then, so a client that disconnects halfway
// has inserted nothing.
type spool struct {
	memory bytes.Buffer
	file   *os.File
}

// readBody decompresses and spools the body. It unlinks the file immediately, so a kill leaves nothing behind.
func readBody(r *http.Request, decompress bool, tempDir string) (*spool, error) {
	body, err := decoded(r.Body, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if decompress {
		body = compress.NewReader(body)
	}
	s := new(spool)
	if _, err := io.CopyN(&s.memory, body, maxBodyInMemory); err != nil {
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		return nil, codeCannotDecompress.errorf("Cannot read the request's body: %v.", err)
	}
	if s.file, err = os.CreateTemp(tempDir, "request-"); err != nil {
		return nil, err
	}
	os.Remove(s.file.Name())
	// At the end of a compressed body the error only wraps io.EOF.
	if _, err := io.Copy(s.file, body); err != nil && !errors.Is(err, io.EOF) {
		s.Close()
		return nil, codeCannotDecompress.errorf("Cannot read the request's body: %v.", err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// reader returns the body once.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return &s.memory
	}
	return io.MultiReader(&s.memory, s.file)
}

func (s *spool) Close() {
	if s.file != nil {
		s.file.Close()
	}
}

// decoded undoes a Content-Encoding. An empty body is valid in every encoding: clients send the header without one.
func decoded(body io.Reader, encoding string) (io.Reader, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
	default:
		return nil, codeNotImplemented.errorf("Unknown Content-Encoding %q: only gzip is supported here.", encoding)
	}
	unzipped, err := gzip.NewReader(body)
	if errors.Is(err, io.EOF) {
		return http.NoBody, nil
	}
	if err != nil {
		return nil, codeCannotDecompress.errorf("The request's body is not in its Content-Encoding %q: %v.", encoding,
			err)
	}
	return unzipped, nil
}
