package chhttp

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	chcompress "github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encodings are the Content-Encodings of responses, the preferred first.
var encodings = []struct {
	name string
	open func(io.Writer) io.WriteCloser
}{
	{"zstd", func(w io.Writer) io.WriteCloser {
		encoder, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		return encoder
	}},
	{"gzip", func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed); return z }},
	{"deflate", func(w io.Writer) io.WriteCloser { z, _ := zlib.NewWriterLevel(w, zlib.BestSpeed); return z }},
	{"br", func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, brotli.BestSpeed) }},
}

// accepted picks the encoding that an Accept-Encoding header allows; -1 is none.
func accepted(header string) int {
	for i, encoding := range encodings {
		for item := range strings.SplitSeq(header, ",") {
			name, quality, _ := strings.Cut(strings.TrimSpace(item), ";")
			if strings.TrimSpace(name) == encoding.name && strings.TrimSpace(quality) != "q=0" {
				return i
			}
		}
	}
	return -1
}

// maxBlock is the most that goes into one compressed block, as ClickHouse does it.
const maxBlock = 1 << 20

// blockWriter writes ClickHouse's own compressed blocks.
type blockWriter struct {
	next io.Writer
	c    *chcompress.Writer
}

func newBlockWriter(next io.Writer, method string) *blockWriter {
	m := chcompress.LZ4
	if strings.EqualFold(method, "ZSTD") {
		m = chcompress.ZSTD
	}
	return &blockWriter{next, chcompress.NewWriter(chcompress.LevelZero, m)}
}

func (w *blockWriter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		n := min(len(rest), maxBlock)
		if err := w.c.Compress(rest[:n]); err != nil {
			return 0, err
		}
		if _, err := w.next.Write(w.c.Data); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(data), nil
}
