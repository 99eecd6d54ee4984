package chhttp

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"os"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxBodyInMemory is how much of a request's body is held in memory; more goes to a file.
	maxBodyInMemory = 4 << 20
	// maxStatement bounds the text of a statement, which must be in memory. An INSERT's data does not count.
	maxStatement = 8 << 20
)

// spool holds a request's body until it is complete: only then is the statement run, so that a client that breaks off half
// way has inserted nothing.
type spool struct {
	memory bytes.Buffer
	file   *os.File
}

// readBody decompresses and spools the body. The file is unlinked at once: a kill leaves nothing behind.
func readBody(r *http.Request, decompress bool, tempDir string) (*spool, error) {
	body, err := decoded(r.Body, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if decompress {
		body = chcompress.NewReader(body)
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
	// The end that a compressed body has is an io.EOF in other words.
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

// reader yields the body once.
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

// decoded undoes a Content-Encoding. An empty body is one in every encoding: clients send the header without it.
func decoded(body io.Reader, encoding string) (io.Reader, error) {
	var err error
	switch encoding {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	case "br":
		body = brotli.NewReader(body)
	case "zstd":
		var decoder *zstd.Decoder
		if decoder, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1)); err == nil {
			body = decoder
		}
	default:
		return nil, codeNotImplemented.errorf("Unknown Content-Encoding %q: gzip, deflate, br and zstd are known.", encoding)
	}
	if errors.Is(err, io.EOF) {
		return http.NoBody, nil
	}
	if err != nil {
		return nil, codeCannotDecompress.errorf("The request's body is not in its Content-Encoding %q: %v.", encoding, err)
	}
	return body, nil
}
